"""The console: pages for people, sign-in, and how errors leave."""
