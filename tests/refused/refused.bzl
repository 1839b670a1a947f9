"""Tests of what must not compile."""

def _refused_test_impl(ctx):
    headers = depset(transitive = [
        dep[CcInfo].compilation_context.headers
        for dep in ctx.attr.deps
    ])
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = program, target_file = ctx.file.program, is_executable = True)
    return [DefaultInfo(
        executable = program,
        runfiles = ctx.runfiles(files = [ctx.file.cases], transitive_files = headers),
    )]

refused_test = rule(
    doc = "Runs `program` where `cases` and the headers of `deps` lie as in the checkout.",
    implementation = _refused_test_impl,
    attrs = {
        "cases": attr.label(allow_single_file = [".cc"], mandatory = True),
        "deps": attr.label_list(providers = [CcInfo]),
        "program": attr.label(allow_single_file = [".sh"], mandatory = True),
    },
    test = True,
)
