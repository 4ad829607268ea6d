"""Django project of Musterbook: settings, addresses, WSGI entry."""
