"""Tools for tests, in two packages.

* `ethora_async.testing.users`: for tests of a product that embeds the chat. A clock that the test moves; the pytest
  fixtures come with the installation.
* `ethora_async.testing.implementers`: for tests of a platform, transport or secret provider that you write. Contract
  suites, a misbehaving HTTP server, and checks that nothing leaks.
"""
