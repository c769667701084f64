"""The defender's side-car: it speaks only the public HTTP interface."""
