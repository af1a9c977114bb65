"""The whole stack on one machine: servers and services as child processes of one supervisor."""
