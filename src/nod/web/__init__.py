"""The app: pages for people, rendered by the server and kept live by hints."""
