"""Tools for tests, in two packages.

* `ethora_async.testing.users`: for tests of a product that embeds the chat: a clock that the test controls. The pytest
  fixtures are installed with the package.
* `ethora_async.testing.implementers`: for tests of a platform, transport or secret provider that you write. Contract
  suites, a misbehaving HTTP server, and checks that nothing leaks.
"""
