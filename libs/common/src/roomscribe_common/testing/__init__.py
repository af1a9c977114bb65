"""What tests share: real servers by name, and pytest fixtures over them."""
