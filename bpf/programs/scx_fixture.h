/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* SPDX-FileCopyrightText: The ktstr authors */

/*
 * What scx_fixture's two halves tell each other: its BPF programs (C) and its
 * loader (C++), which also fills in the programs' constants by name.
 */
#ifndef KTSTR_BPF_PROGRAMS_SCX_FIXTURE_H_
#define KTSTR_BPF_PROGRAMS_SCX_FIXTURE_H_

enum {
	FIXTURE_MAX_CPUS = 512,	 /* numbers of CPUs are below this */
	FIXTURE_MAX_QUEUES = 64, /* a power of two */
	FIXTURE_COMM_BYTES = 16, /* task_struct.comm, its NUL included */
	FIXTURE_REASON_BYTES = 128,
	FIXTURE_MESSAGE_BYTES = 1024, /* the kernel's own limit */
	FIXTURE_DUMP_BYTES = 32768,
};

/* What to do instead of scheduling. `argument` is a constant beside it. */
enum fixture_misbehavior {
	FIXTURE_BEHAVE = 0,
	FIXTURE_STALL_ONE, /* of the tasks that chosen_pid or chosen_comm fits
			    */
	FIXTURE_STALL_ALL,
	FIXTURE_DROP, /* every `argument`th enqueued task */
	FIXTURE_CRASH,
	FIXTURE_ONE_CPU, /* number `argument` */
	FIXTURE_IGNORE_AFFINITY,
	FIXTURE_IGNORE_CPUSET,
	FIXTURE_UNFAIR, /* to all but one task, chosen likewise */
};

/* Why the scheduler is no longer attached; one record, at the end. */
struct fixture_exit {
	unsigned int is_on_request; /* the loader detached it, nothing else */
	char reason[FIXTURE_REASON_BYTES];
	char message[FIXTURE_MESSAGE_BYTES];
	char dump[FIXTURE_DUMP_BYTES]; /* the kernel's view; often empty */
};

#endif /* KTSTR_BPF_PROGRAMS_SCX_FIXTURE_H_ */
