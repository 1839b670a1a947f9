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
