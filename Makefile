# What people type. Every target says in `make help` what it does.

.PHONY: help setup build demo test lint fuzz perf format clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: ## install what is missing (apt)
	@tools/setup.sh

build: setup ## build every program into out/
	@tools/build_programs.sh

demo: setup ## build, get a kernel, run a real gauntlet, print verdicts
	@tools/demo.sh

test: setup ## everything CI runs
	@tools/run_tests.sh

lint: setup ## format, shell syntax, layering
	@tools/lint.sh
	@tests/layering/layering_test.sh

fuzz: setup ## every parser for a minute
	@tools/fuzz.sh

perf: setup ## benchmarks, one JSON line each: make perf FIGURE='vmm.*'
	@tests/perf/run.sh '$(or $(FIGURE),*)'

format: ## rewrite C++ and BPF sources in our format
	@git ls-files '*.cc' '*.h' '*.bpf.c' | xargs clang-format -i

clean: ## remove build outputs, keep the caches
	@bazel clean
	@rm -rf out
