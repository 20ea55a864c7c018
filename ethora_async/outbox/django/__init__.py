"""The outbox's tables as a Django application, and signals that write intents.

Add ``"ethora_async.outbox.django"`` to ``INSTALLED_APPS`` and run ``manage.py migrate``. Then write intents inside
``transaction.atomic()``::

    from django.db import connection, transaction

    with transaction.atomic():
        user.save()
        outbox.want_user(connection, NewUser(id=user.pk, …))
"""
