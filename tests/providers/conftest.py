from tests.providers.remotes import chat, club, company, sandbox

__all__ = ["chat", "club", "company", "sandbox"]
