/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* SPDX-FileCopyrightText: The ktstr authors */

/*
 * Everything that scx_fixture does wrong, each in the simplest way a real
 * scheduler could. Part of scx_fixture.bpf.c and of nothing else.
 */
#ifndef KTSTR_BPF_PROGRAMS_SCX_FIXTURE_MISBEHAVIOR_BPF_H_
#define KTSTR_BPF_PROGRAMS_SCX_FIXTURE_MISBEHAVIOR_BPF_H_

/* Constants, set by the loader. With FIXTURE_BEHAVE the verifier drops the
 * code. */
const volatile __u32 misbehavior = FIXTURE_BEHAVE;
const volatile __u64 argument; /* enum fixture_misbehavior says of what */
const volatile int chosen_pid; /* 0: whose comm begins with chosen_comm */
const volatile char chosen_comm[FIXTURE_COMM_BYTES];

/* CLOCK_MONOTONIC; the loader sets it once the scheduler is attached. */
__u64 misbehaves_from_ns = ~0ULL;

/* Not to be waited for: nonzero once somebody outside has written it here. */
__u32 misbehaves_now;

/* A queue that no CPU ever looks into. */
#define STALLED_QUEUE (1ULL << 32)

static int first_pid; /* the first task that matched */
static __u64 nr_enqueued;

static bool is_misbehaving(void)
{
	return misbehavior != FIXTURE_BEHAVE &&
	       (misbehaves_now || bpf_ktime_get_ns() >= misbehaves_from_ns);
}

static bool is_described(struct task_struct *p)
{
	char comm[FIXTURE_COMM_BYTES] = {};
	__u32 i;

	if (chosen_pid)
		return p->pid == chosen_pid;
	bpf_probe_read_kernel_str(comm, sizeof(comm), p->comm);
	for (i = 0; i < FIXTURE_COMM_BYTES && chosen_comm[i]; i++) {
		if (comm[i] != chosen_comm[i])
			return false;
	}
	return true;
}

/* Of several tasks that are described, the first one to come by. */
static bool is_chosen(struct task_struct *p)
{
	if (!first_pid && is_described(p))
		__sync_val_compare_and_swap(&first_pid, 0, p->pid);
	return first_pid == p->pid;
}

/* The kernel ends a scheduler that moves a task where it may not run. */
static bool move_out_of_mask(struct task_struct *p, __u64 enq_flags)
{
	__u32 cpu = bpf_cpumask_first_zero(p->cpus_ptr);

	if (cpu >= scx_bpf_nr_cpu_ids())
		return false;
	scx_bpf_dispatch(p, SCX_DSQ_LOCAL_ON | cpu, slice_ns, enq_flags);
	return true;
}

/* Whether a cpuset, and neither itself nor the kernel, limits where @p runs. */
static bool is_limited_by_cpuset(struct task_struct *p)
{
	return !p->user_cpus_ptr && !(p->flags & PF_KTHREAD);
}

/* Does what was asked with @p. False when @p is to be scheduled as usual. */
static bool misbehave(struct task_struct *p, __u64 enq_flags)
{
	if (!is_misbehaving())
		return false;

	switch (misbehavior) {
	case FIXTURE_STALL_ONE:
		if (!is_chosen(p))
			return false;
		scx_bpf_dispatch(p, STALLED_QUEUE, slice_ns, enq_flags);
		return true;
	case FIXTURE_STALL_ALL:
		scx_bpf_dispatch(p, STALLED_QUEUE, slice_ns, enq_flags);
		return true;
	case FIXTURE_DROP:
		/* Not dispatching is forgetting: nobody else knows the task. */
		return __sync_fetch_and_add(&nr_enqueued, 1) % argument ==
		       argument - 1;
	case FIXTURE_CRASH:
		scx_bpf_error("fixture crashes as told; task %llu was next",
			      p->pid);
		return false;
	case FIXTURE_ONE_CPU:
		if (!bpf_cpumask_test_cpu(argument, p->cpus_ptr))
			return false;
		scx_bpf_dispatch(p, SCX_DSQ_LOCAL_ON | argument, slice_ns,
				 enq_flags);
		return true;
	case FIXTURE_IGNORE_AFFINITY:
		return p->user_cpus_ptr && move_out_of_mask(p, enq_flags);
	case FIXTURE_IGNORE_CPUSET:
		return is_limited_by_cpuset(p) &&
		       move_out_of_mask(p, enq_flags);
	}
	return false;
}

/* The time that @p pays for when it ran for @ran_ns. */
static __u64 price(struct task_struct *p, __u64 ran_ns)
{
	if (misbehavior == FIXTURE_UNFAIR && is_misbehaving() && is_chosen(p))
		return ran_ns / 100;
	return ran_ns;
}

static __s32 create_misbehavior_queue(void)
{
	return scx_bpf_create_dsq(STALLED_QUEUE, -1);
}

/*
 * Two enqueue operations that no kernel loads. The loader puts one of them in
 * the place of fixture_enqueue() when asked to; otherwise neither is loaded.
 */

/* Uses what may be NULL without looking. */
void BPF_STRUCT_OPS(fixture_enqueue_rejected, struct task_struct *p,
		    __u64 enq_flags)
{
	struct task_state *state = bpf_task_storage_get(&task_states, p, 0, 0);

	state->queue = 0;
}

/*
 * A loop with a decision in each round. The verifier follows every path to its
 * end, and one decision leads to two of them: it gives up.
 */
void BPF_STRUCT_OPS(fixture_enqueue_endless, struct task_struct *p,
		    __u64 enq_flags)
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < 1000 * 1000; i++) {
		if (bpf_get_prandom_u32() & 1)
			sum += bpf_ktime_get_ns();
	}
	scx_bpf_dispatch_vtime(p, 0, slice_ns, sum, enq_flags);
}

#endif /* KTSTR_BPF_PROGRAMS_SCX_FIXTURE_MISBEHAVIOR_BPF_H_ */
