"""BPF programs, and how C++ gets hold of them."""

# BPF byte code is checked by the kernel's verifier and runs in the kernel: flags
# of the build (optimisation, sanitizers, coverage) are not for it. Version 3 has
# atomics of 32 bits and runs on every kernel with sched_ext.
_COPTS = [
    "-target",
    "bpf",
    "-mcpu=v3",
    "-O2",
    "-g",  # type information, for finding kernel fields and for the skeleton
    "-Wall",
    "-Wextra",
    "-Werror",
    # Operations have the parameters that the kernel gives them.
    "-Wno-unused-parameter",
    # The same bytes wherever they are built.
    "-fdebug-compilation-dir=.",
    "-I.",
]

def _bpf_skeleton_impl(ctx):
    compiled = ctx.actions.declare_file(ctx.label.name + ".compiled.bpf.o")
    linked = ctx.actions.declare_file(ctx.label.name + ".bpf.o")
    header = ctx.actions.declare_file(ctx.label.name + ".skel.h")

    ctx.actions.run(
        mnemonic = "BpfCompile",
        executable = ctx.executable._clang,
        arguments = _COPTS + ["-c", ctx.file.src.path, "-o", compiled.path],
        inputs = [ctx.file.src] + ctx.files.hdrs + ctx.files._libbpf_headers,
        outputs = [compiled],
    )

    # One object from one: leaves out DWARF, and gives the types once.
    ctx.actions.run(
        mnemonic = "BpfLink",
        executable = ctx.executable._bpftool,
        arguments = ["gen", "object", linked.path, compiled.path],
        inputs = [compiled],
        outputs = [linked],
    )

    # bpftool may be newer than libbpf (Debian's backports have 7.5 and 1.4): it
    # then fills in a field for attaching maps that libbpf does not have yet.
    # Maps are attached by hand in either case.
    ctx.actions.run_shell(
        mnemonic = "BpfSkeleton",
        command = """set -o pipefail
"$1" gen skeleton "$2" name "$3" | sed '/map->link = /d' >"$4"
""",
        arguments = [
            ctx.executable._bpftool.path,
            linked.path,
            ctx.label.name,
            header.path,
        ],
        inputs = [linked],
        tools = [ctx.executable._bpftool],
        outputs = [header],
    )
    return [
        DefaultInfo(files = depset([header])),
        OutputGroupInfo(object = depset([linked])),
        cc_common.merge_cc_infos(
            direct_cc_infos = [CcInfo(
                compilation_context = cc_common.create_compilation_context(
                    headers = depset([header]),
                ),
            )],
            cc_infos = [ctx.attr._libbpf[CcInfo]],
        ),
    ]

bpf_skeleton = rule(
    implementation = _bpf_skeleton_impl,
    doc = """A BPF program as a C++ header with the program inside.

C++ targets put it in `deps`, include "<package>/<name>.skel.h" and find
`struct <name>` in it, with functions to open, load and destroy it; libbpf comes
along. The object by itself is output group `object`.""",
    attrs = {
        "src": attr.label(
            doc = "The program, one .bpf.c file.",
            allow_single_file = [".bpf.c"],
            mandatory = True,
        ),
        "hdrs": attr.label_list(
            doc = "Headers it includes, by their paths from the root.",
            allow_files = [".h"],
        ),
        "_bpftool": attr.label(
            default = "@bpftool//:bpftool",
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
        "_clang": attr.label(
            default = "@clang//:clang",
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
        "_libbpf": attr.label(default = "@libbpf//:libbpf"),
        "_libbpf_headers": attr.label(default = "@libbpf//:program_headers"),
    },
)
