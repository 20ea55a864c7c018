"""For tests of products that embed this package: the pytest plugin and its clock."""
