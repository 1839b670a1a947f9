/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* SPDX-FileCopyrightText: The ktstr authors */

/*
 * What a sched_ext scheduler needs to know of Linux 6.12, and no more.
 *
 * Every struct here names only the fields that are used. The BPF loader looks
 * each up by name in the type information (BTF) of the kernel that runs, so
 * neither order nor offset nor what is left out matters, and no header has to
 * be generated from a particular kernel. A field or function the kernel lacks
 * is an error at load that names it.
 *
 * Source: include/linux/sched/ext.h and kernel/sched/ext.c of 6.12.
 */
#ifndef KTSTR_BPF_PROGRAMS_SCHED_EXT_BPF_H_
#define KTSTR_BPF_PROGRAMS_SCHED_EXT_BPF_H_

/* The types that libbpf's headers expect to exist. */
typedef _Bool bool;
enum { false, true };
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

/* The same from include/uapi/linux/bpf.h; libbpf's macros name these. */
enum bpf_map_type {
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum {
	BPF_F_NO_PREALLOC = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

/* The state of bpf_for_each(scx_dsq, task, queue, flags). */
struct bpf_iter_scx_dsq {
	__u64 opaque[6];
} __attribute__((aligned(8)));

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define ENOMEM 12

#pragma clang attribute push(__attribute__((preserve_access_index)),           \
			     apply_to = record)

/* A set of CPUs. Only declared, it would match no kernel function below. */
struct cpumask {
};

struct sched_entity {
	__u64 sum_exec_runtime; /* ns on a CPU since the task was born */
};

struct sched_ext_entity {
	__u32 flags;	 /* SCX_TASK_* */
	__u32 weight;	 /* 1..10000, 100 for nice 0 */
	__u64 slice;	 /* ns left to run */
	__u64 dsq_vtime; /* ns; place in a queue that is ordered by it */
};

struct task_struct {
	unsigned int flags; /* PF_* */
	int pid;
	char comm[16];
	const struct cpumask *cpus_ptr; /* where it may run, cpuset included */
	struct cpumask *user_cpus_ptr;	/* last sched_setaffinity(), or NULL */
	struct sched_entity se;
	struct sched_ext_entity scx;
};

enum scx_exit_kind {
	SCX_EXIT_UNREG = 64, /* user space asked for it */
};

struct scx_exit_info {
	enum scx_exit_kind kind;
	const char *reason;
	char *msg;
	char *dump;
};

struct scx_init_task_args;

#pragma clang attribute pop

/*
 * The operations of a scheduler: those one implements. The kernel's struct has
 * more; what is missing here is absent. Its own comments explain each.
 */
struct sched_ext_ops {
	__s32 (*select_cpu)(struct task_struct *p, __s32 prev_cpu,
			    __u64 wake_flags);
	void (*enqueue)(struct task_struct *p, __u64 enq_flags);
	void (*dispatch)(__s32 cpu, struct task_struct *prev);
	void (*running)(struct task_struct *p);
	void (*stopping)(struct task_struct *p, bool runnable);
	void (*enable)(struct task_struct *p);
	__s32 (*init_task)(struct task_struct *p,
			   struct scx_init_task_args *args);
	__s32 (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	__u64 flags;
	__u32 timeout_ms;    /* watchdog; 0 means 30 s, which is the most */
	__u32 exit_dump_len; /* bytes of scx_exit_info.dump */
	__u64 hotplug_seq;   /* refuse to attach once this has changed */
	char name[128];
};

/* Queues that exist without being created (enum scx_dsq_id_flags). */
#define SCX_DSQ_LOCAL	 (1ULL << 63 | 2)	   /* of the CPU at hand */
#define SCX_DSQ_LOCAL_ON (1ULL << 63 | 1ULL << 62) /* | number of a CPU */

#define SCX_TASK_QUEUED	 1	    /* sched_ext_entity.flags: it can run */
#define PF_KTHREAD	 0x00200000 /* task_struct.flags: a kernel thread */

/* Functions of the kernel that BPF may call (kfuncs). */
__s32 scx_bpf_create_dsq(__u64 dsq_id, __s32 node) __ksym;
__s32 scx_bpf_select_cpu_dfl(struct task_struct *p, __s32 prev_cpu,
			     __u64 wake_flags, bool *is_idle) __ksym;
void scx_bpf_dispatch(struct task_struct *p, __u64 dsq_id, __u64 slice,
		      __u64 enq_flags) __ksym;
void scx_bpf_dispatch_vtime(struct task_struct *p, __u64 dsq_id, __u64 slice,
			    __u64 vtime, __u64 enq_flags) __ksym;
bool scx_bpf_consume(__u64 dsq_id) __ksym;
int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq *it, __u64 dsq_id,
			 __u64 flags) __ksym;
struct task_struct *bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq *it) __ksym;
void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq *it) __ksym;
__s32 scx_bpf_task_cpu(const struct task_struct *p) __ksym;
__u32 scx_bpf_nr_cpu_ids(void) __ksym;
void scx_bpf_error_bstr(char *format, unsigned long long *values,
			__u32 values__sz) __ksym;
bool bpf_cpumask_test_cpu(__u32 cpu, const struct cpumask *mask) __ksym;
__u32 bpf_cpumask_first_zero(const struct cpumask *mask) __ksym;

/*
 * Ends the scheduler with a message of one number: a constant format with one
 * conversion of 64 bits (%llu, %lld, %llx).
 */
#define scx_bpf_error(constant_format, number)                                 \
	({                                                                     \
		static char format_[] = constant_format;                       \
		unsigned long long values_[] = {number};                       \
		scx_bpf_error_bstr(format_, values_, sizeof(values_));         \
	})

/* An operation; _SLEEPABLE for those which the kernel calls where it may wait.
 */
#define BPF_STRUCT_OPS(name, args...)                                          \
	SEC("struct_ops/" #name) BPF_PROG(name, ##args)
#define BPF_STRUCT_OPS_SLEEPABLE(name, args...)                                \
	SEC("struct_ops.s/" #name) BPF_PROG(name, ##args)

#endif /* KTSTR_BPF_PROGRAMS_SCHED_EXT_BPF_H_ */
