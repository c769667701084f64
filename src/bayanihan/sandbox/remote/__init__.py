"""Tools that run at their vendor's: client, proxy, and what was disclosed to them."""
