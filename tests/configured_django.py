"""Django has one set of settings per process: every test that needs Django configures it here."""

from __future__ import annotations


def configure_django() -> None:
    """Configure Django once per process."""
    import django
    from django.conf import settings

    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="a-key-for-tests-alone-0123456789",
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
        SECURE_REFERRER_POLICY=None,
        SECURE_CROSS_ORIGIN_OPENER_POLICY=None,
        SECURE_CONTENT_TYPE_NOSNIFF=False,
        ROOT_URLCONF=None,
        LOGGING_CONFIG=None,
    )
    django.setup()
