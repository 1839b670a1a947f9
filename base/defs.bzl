"""How the programs of the project are linked."""

# Programs that travel (into guests, to lab machines) are one static file: no
# library search at start, nothing to install beside them.
STATIC = select({
    "//:sanitizer": [],
    "//conditions:default": ["-static"],
})

def ktstr_binary(name, linkopts = [], **kwargs):
    """A cc_binary linked into one static file, except under sanitizers."""
    native.cc_binary(
        name = name,
        linkopts = STATIC + linkopts,
        linkstatic = True,
        **kwargs
    )

def fuzz_test(name, srcs, covers, deps, **kwargs):
    """A libFuzzer target; tools/fuzz.sh runs it.

    `bazel build --config=fuzz` builds it. Inputs worth starting from lie in
    testdata/<name>.tar.gz of its package, if anywhere.

    Args:
      name: ends in _fuzz_test.
      srcs: its sources.
      covers: source files of the parser it is about, whose lines are counted by
        `tools/fuzz.sh --coverage`.
      deps: as of a cc_binary.
      **kwargs: further attributes of the cc_binary.
    """
    native.cc_binary(
        name = name,
        testonly = True,
        srcs = srcs,
        tags = ["fuzz", "manual"] + ["covers:" + path for path in covers],
        deps = deps,
        **kwargs
    )
