"""Suite binaries."""

load("//base:defs.bzl", "ktstr_binary")

def ktstr_suite(name, srcs, deps = [], **kwargs):
    """A test suite: one static program with every KTSTR_TEST of `srcs`.

    Args:
      name: the program; what `ktstrctl submit` is given.
      srcs: files that declare tests; no main function.
      deps: what they use beside //ktstr.
      **kwargs: as for cc_binary.
    """
    ktstr_binary(
        name = name,
        srcs = srcs,
        deps = deps + [
            "//ktstr",
            "//ktstr:ktstr_main",
        ],
        **kwargs
    )
