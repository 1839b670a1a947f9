/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* SPDX-FileCopyrightText: The ktstr authors */

/*
 * A small fair scheduler, meant to be copied.
 *
 * - A task that wakes up goes to an idle CPU when there is one.
 * - Otherwise it waits in a queue that CPUs share: one for all of them, or one
 *   for each last-level cache (LLC).
 * - A queue is ordered by virtual time: the time that its tasks have run,
 *   divided by their weights. Who has had the least comes first.
 *
 * What it does wrong on demand is in scx_fixture_misbehavior.bpf.h; a copy
 * leaves out that line, the calls of misbehave() and price(), and the last
 * map.
 */
#include "bpf/programs/sched_ext.bpf.h"
#include "bpf/programs/scx_fixture.h"

char _license[] SEC("license") = "GPL";

/* Constants: the loader sets them before the programs are loaded. */
const volatile __u64 slice_ns = 20 * 1000 * 1000; /* for one turn on a CPU */
const volatile __u32 nr_queues = 1;
const volatile __u32 queue_of_cpu[FIXTURE_MAX_CPUS];
const volatile bool may_steal; /* from other queues, before a CPU goes idle */

/*
 * The virtual time of each queue, in ns of a task of weight 100: that of the
 * task which started last. CPUs write it without a lock; a write that is lost
 * makes the clock late by one turn, once.
 */
static __u64 clock_ns[FIXTURE_MAX_QUEUES];

struct task_state {
	__u32 queue;		/* whose clock the task's dsq_vtime refers to */
	__u64 runtime_began_ns; /* its sum_exec_runtime when its turn began */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} task_states SEC(".maps");

/* Carries the one struct fixture_exit to the loader and wakes it up. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} exits SEC(".maps");

#include "bpf/programs/scx_fixture_misbehavior.bpf.h"

/* Whether @a is earlier than @b, also when the clock wraps in between. */
static bool is_before(__u64 a, __u64 b)
{
	return (__s64)(a - b) < 0;
}

static __u32 queue_of(__s32 cpu)
{
	return cpu >= 0 && cpu < FIXTURE_MAX_CPUS ? queue_of_cpu[cpu] : 0;
}

static __u64 *clock_of(__u32 queue)
{
	return &clock_ns[queue & (FIXTURE_MAX_QUEUES - 1)];
}

/* NULL after an error, which ends the scheduler: fixture_init_task made it. */
static struct task_state *state_of(struct task_struct *p)
{
	struct task_state *state = bpf_task_storage_get(&task_states, p, 0, 0);

	if (!state)
		scx_bpf_error("task %llu has no state", p->pid);
	return state;
}

/* Where @p runs next when it wakes up. */
__s32 BPF_STRUCT_OPS(fixture_select_cpu, struct task_struct *p, __s32 prev_cpu,
		     __u64 wake_flags)
{
	bool is_idle = false;
	__s32 cpu;

	cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &is_idle);
	/* Nobody waits for an idle CPU: no need for the detour by a queue. */
	if (is_idle && !is_misbehaving())
		scx_bpf_dispatch(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

/* @p wants to run and select_cpu() found no idle CPU, or was not asked. */
void BPF_STRUCT_OPS(fixture_enqueue, struct task_struct *p, __u64 enq_flags)
{
	__u32 queue = queue_of(scx_bpf_task_cpu(p));
	struct task_state *state = state_of(p);
	__u64 now_ns = *clock_of(queue);

	if (!state || misbehave(p, enq_flags))
		return;

	/* In another queue it is as far behind or ahead as it was in its own.
	 */
	if (state->queue != queue) {
		p->scx.dsq_vtime += now_ns - *clock_of(state->queue);
		state->queue = queue;
	}
	/* Who slept for long catches up by one turn at most. */
	if (is_before(p->scx.dsq_vtime, now_ns - slice_ns))
		p->scx.dsq_vtime = now_ns - slice_ns;

	scx_bpf_dispatch_vtime(p, queue, slice_ns, p->scx.dsq_vtime, enq_flags);
}

/* A turn of @p begins. */
static void begin_turn(struct task_struct *p, struct task_state *state)
{
	__u64 *now_ns = clock_of(state->queue);

	state->runtime_began_ns = p->se.sum_exec_runtime;
	if (is_before(*now_ns, p->scx.dsq_vtime))
		*now_ns = p->scx.dsq_vtime;
}

/* @p pays for the time since its turn began. Again, it pays for nothing. */
static void end_turn(struct task_struct *p, struct task_state *state)
{
	__u64 ran_ns = p->se.sum_exec_runtime - state->runtime_began_ns;

	state->runtime_began_ns = p->se.sum_exec_runtime;
	p->scx.dsq_vtime += price(p, ran_ns) * 100 / p->scx.weight;
}

/* Whether nobody who waits for @cpu in @queue has had less than @p. */
static bool is_next(struct task_struct *p, __s32 cpu, __u32 queue)
{
	struct task_struct *other;

	bpf_for_each(scx_dsq, other, queue, 0)
	{
		if (bpf_cpumask_test_cpu(cpu, other->cpus_ptr))
			return is_before(p->scx.dsq_vtime,
					 other->scx.dsq_vtime);
	}
	return true;
}

/* @cpu is free: the turn of @prev, if it had one, is over. */
void BPF_STRUCT_OPS(fixture_dispatch, __s32 cpu, struct task_struct *prev)
{
	__u32 own = queue_of(cpu);
	__u32 i;

	/* Who can go on is in no queue, and has to be weighed against it. */
	if (prev && prev->scx.flags & SCX_TASK_QUEUED) {
		struct task_state *state = state_of(prev);

		if (!state)
			return;
		end_turn(prev, state);
		if (is_next(prev, cpu, own)) {
			prev->scx.slice = slice_ns;
			begin_turn(prev, state);
			return;
		}
	}

	if (scx_bpf_consume(own) || !may_steal)
		return;
	bpf_for(i, 1, nr_queues)
	{
		if (scx_bpf_consume((own + i) % nr_queues))
			return;
	}
}

void BPF_STRUCT_OPS(fixture_running, struct task_struct *p)
{
	struct task_state *state = state_of(p);

	if (state)
		begin_turn(p, state);
}

void BPF_STRUCT_OPS(fixture_stopping, struct task_struct *p, bool runnable)
{
	struct task_state *state = state_of(p);

	if (state)
		end_turn(p, state);
}

/* @p exists from now on, or existed before this scheduler. */
__s32 BPF_STRUCT_OPS_SLEEPABLE(fixture_init_task, struct task_struct *p,
			       struct scx_init_task_args *args)
{
	struct task_state *state;

	state = bpf_task_storage_get(&task_states, p, 0,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!state)
		return -ENOMEM;
	state->queue = queue_of(scx_bpf_task_cpu(p));
	return 0;
}

/* @p is this scheduler's from now on, with nothing to claim or to pay. */
void BPF_STRUCT_OPS(fixture_enable, struct task_struct *p)
{
	struct task_state *state = state_of(p);

	if (state)
		p->scx.dsq_vtime = *clock_of(state->queue);
}

__s32 BPF_STRUCT_OPS_SLEEPABLE(fixture_init)
{
	__s32 error = create_misbehavior_queue();
	__u32 queue;

	bpf_for(queue, 0, nr_queues)
	{
		if (error)
			break;
		error = scx_bpf_create_dsq(queue, -1);
	}
	return error;
}

void BPF_STRUCT_OPS(fixture_exit, struct scx_exit_info *info)
{
	struct fixture_exit *record;

	record = bpf_ringbuf_reserve(&exits, sizeof(*record), 0);
	if (!record)
		return;
	record->is_on_request = info->kind == SCX_EXIT_UNREG;
	bpf_probe_read_kernel_str(record->reason, sizeof(record->reason),
				  info->reason);
	bpf_probe_read_kernel_str(record->message, sizeof(record->message),
				  info->msg);
	bpf_probe_read_kernel_str(record->dump, sizeof(record->dump),
				  info->dump);
	bpf_ringbuf_submit(record, 0);
}

SEC(".struct_ops.link")
struct sched_ext_ops fixture_ops = {
	.select_cpu = (void *)fixture_select_cpu,
	.enqueue = (void *)fixture_enqueue,
	.dispatch = (void *)fixture_dispatch,
	.running = (void *)fixture_running,
	.stopping = (void *)fixture_stopping,
	.enable = (void *)fixture_enable,
	.init_task = (void *)fixture_init_task,
	.init = (void *)fixture_init,
	.exit = (void *)fixture_exit,
	.exit_dump_len = FIXTURE_DUMP_BYTES,
	.name = "fixture",
};
