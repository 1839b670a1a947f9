// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/state/fleet.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "coordinator/placement/budget.h"
#include "model/topology.h"

namespace ktstr::coordinator {
namespace {

// Of the guest, which may take more of its host than they are.
int VcpusOf(const v1::VariantSpec& spec) {
  absl::StatusOr<Topology> topology = Topology::Parse(spec.topology());
  return topology.ok() ? topology->cpus() : 1;
}

// Part of the host timeout for which a call is held, and within which a host is
// asked to call again.
constexpr int kCallsPerTimeout = 3;
// Candidates of one run that one placement looks at: as many as could be placed
// if each took one CPU, and some that are passed over.
constexpr int64_t kMaxCandidates = 1024;
constexpr int64_t kSpareCandidates = 64;
constexpr size_t kMaxTailBytes = 256 << 10;
constexpr size_t kMaxSchedulerLogBytes = 1 << 20;
constexpr size_t kMaxDumpBytes = 1 << 20;

absl::Status UnknownRun(absl::string_view run_id) {
  return absl::NotFoundError(absl::StrCat("no run \"", run_id, "\""));
}

absl::Status Stopping() {
  return absl::UnavailableError("the coordinator is stopping; call again");
}

v1::AttemptKey KeyOf(LeaseRef lease) {
  const VariantRecord& variant = lease.first->variants()[lease.second].record;
  v1::AttemptKey key;
  key.set_run_id(lease.first->record().run_id);
  key.set_variant(variant.index);
  key.set_epoch(variant.epoch);
  return key;
}

// Hosts keep this limit; whoever does not loses the beginning.
void KeepTail(std::string& bytes, size_t limit = kMaxTailBytes) {
  if (bytes.size() > limit) bytes.erase(0, bytes.size() - limit);
}

void KeepBeginning(std::string& bytes) {
  if (bytes.size() > kMaxDumpBytes) bytes.resize(kMaxDumpBytes);
}

bool IsCurrent(const RunEntry* run, const v1::AttemptKey& key,
               const HostEntry& host) {
  if (run == nullptr) return false;
  const VariantEntry* variant = run->Find(key.variant());
  return variant != nullptr && variant->record.state == v1::LEASED &&
         variant->record.epoch == key.epoch() &&
         variant->record.host_id == host.host_id;
}

void Revoke(HostEntry& host, const v1::AttemptKey& key, HeldCall& call) {
  *call.response.add_revoked() = key;
  bool is_news =
      host.revoked.emplace(key.run_id(), key.variant(), key.epoch()).second;
  if (is_news) call.Finish(absl::OkStatus());
}

v1::AttemptBudget ToProto(const Budget& budget) {
  v1::AttemptBudget proto;
  *proto.mutable_boot() = ToProtoDuration(budget.boot);
  *proto.mutable_attach() = ToProtoDuration(budget.attach);
  *proto.mutable_test() = ToProtoDuration(budget.test);
  *proto.mutable_shutdown() = ToProtoDuration(budget.shutdown);
  *proto.mutable_total() = ToProtoDuration(budget.total);
  return proto;
}

}  // namespace

struct Fleet::Operation {
  absl::FunctionRef<absl::Status(Transaction&)> body;
  absl::Status status;
  bool is_done = false;
};

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Create(Store* store,
                                                     PlacementPolicy* policy,
                                                     Clock* clock,
                                                     FleetOptions options) {
  std::unique_ptr<Fleet> fleet(new Fleet(store, policy, clock, options));
  absl::MutexLock lock(&fleet->mutex_);
  fleet->version_ = std::max<int64_t>(absl::ToUnixMicros(clock->Now()), 1);
  ABSL_RETURN_IF_ERROR(fleet->LoadLocked());
  return fleet;
}

absl::Status Fleet::LoadLocked() {
  ABSL_ASSIGN_OR_RETURN(std::vector<StoredRun> stored, store_.LoadRuns());
  for (auto& [id, host] : hosts_.all()) host.leases.clear();
  runs_.Clear();
  const absl::Duration now = clock_.Monotonic();
  for (StoredRun& run : stored) {
    RunEntry* entry = runs_.Add(std::move(run), version_);
    for (const VariantEntry& variant : entry->variants()) {
      if (variant.record.state != v1::LEASED) continue;
      HostEntry* host = hosts_.FindOrAdd(variant.record.host_id);
      if (host == nullptr) return absl::InternalError("too many hosts stored");
      if (!host->has_called) host->last_seen = now;
      host->leases.insert({entry, variant.record.index});
      entry->NoteGiven(variant.record.index, host->calls);
    }
  }
  return absl::OkStatus();
}

absl::Status Fleet::Transact(
    absl::FunctionRef<absl::Status(Transaction&)> body) {
  Operation operation = {.body = body};
  std::vector<Operation*> batch;
  {
    absl::MutexLock lock(&queue_mutex_);
    queue_.push_back(&operation);
    while (has_leader_ && !operation.is_done) {
      queue_changed_.Wait(&queue_mutex_);
    }
    if (operation.is_done) return operation.status;
    has_leader_ = true;
    batch.swap(queue_);
  }
  Lead(batch);
  absl::MutexLock lock(&queue_mutex_);
  for (Operation* each : batch) each->is_done = true;
  has_leader_ = false;
  queue_changed_.SignalAll();
  return operation.status;
}

void Fleet::Lead(absl::Span<Operation* const> batch) {
  absl::MutexLock lock(&mutex_);
  const int64_t version_before = version_;
  absl::Status status = ApplyLocked(batch);
  if (!status.ok()) {
    absl::Status loaded = LoadLocked();
    if (!loaded.ok()) status = Annotate(loaded, "loading after a failed write");
    for (auto& [id, host] : hosts_.all()) {
      if (host.call == nullptr) continue;
      host.call->response.Clear();
      host.call->Finish(absl::UnavailableError(status.message()));
      host.call = nullptr;
    }
  }
  for (Operation* operation : batch) operation->status = status;
  if (version_ != version_before) runs_changed_.SignalAll();
}

absl::Status Fleet::ApplyLocked(absl::Span<Operation* const> batch) {
  std::unique_ptr<Transaction> transaction = store_.Begin();
  for (Operation* operation : batch) {
    ABSL_RETURN_IF_ERROR(operation->body(*transaction));
  }
  return transaction->Commit();
}

absl::StatusOr<v1::SubmitResponse> Fleet::CreateRun(
    RunRecord run, absl::Span<const VariantDraft> variants) {
  v1::SubmitResponse response;
  ABSL_RETURN_IF_ERROR(Transact([&](Transaction& transaction) -> absl::Status {
    mutex_.AssertHeld();
    const RunEntry* known = runs_.FindRequest(run.request_id);
    if (known != nullptr) {
      response = SummaryLocked(*known);
      return absl::OkStatus();
    }
    ABSL_RETURN_IF_ERROR(transaction.CreateRun(run, variants));
    StoredRun stored = {.run = run};
    for (size_t i = 0; i < variants.size(); ++i) {
      VariantRecord record;
      record.index = i;
      record.cpus = variants[i].cpus;
      record.memory_mib = variants[i].spec.memory_mib();
      stored.variants.push_back(std::move(record));
    }
    response = SummaryLocked(*runs_.Add(std::move(stored), version_));
    return PlaceLocked(transaction);
  }));
  return response;
}

absl::StatusOr<v1::SubmitResponse> Fleet::FindRequest(
    const std::string& request_id) {
  absl::MutexLock lock(&mutex_);
  const RunEntry* run = runs_.FindRequest(request_id);
  if (run == nullptr) return absl::NotFoundError("no run of this request");
  return SummaryLocked(*run);
}

v1::SubmitResponse Fleet::SummaryLocked(const RunEntry& run) {
  v1::SubmitResponse response;
  response.set_run_id(run.record().run_id);
  response.set_variants(run.variants().size());
  response.mutable_excluded()->Assign(run.record().excluded.begin(),
                                      run.record().excluded.end());
  return response;
}

RunView Fleet::ViewLocked(const RunEntry& run, int64_t after_version,
                          size_t limit) {
  if (after_version > run.version()) after_version = 0;
  RunView view = {.run = run.ToProto(), .version = run.version()};
  for (int64_t index : run.ChangedAfter(after_version, limit)) {
    const VariantEntry& variant = run.variants()[index];
    v1::Variant& proto = view.changed.emplace_back();
    proto.set_index(index);
    proto.set_state(variant.record.state);
    proto.set_epoch(variant.record.epoch);
    proto.set_host_id(variant.record.host_id);
    proto.set_phase(variant.phase);
    if (variant.record.state == v1::DONE) {
      proto.mutable_result()->set_outcome(variant.record.outcome);
    }
    for (const MissRecord& miss : variant.record.missed) {
      proto.add_missed(miss.reason);
    }
  }
  if (view.changed.empty() || view.changed.size() < limit) return view;
  const int64_t last = run.variants()[view.changed.back().index()].version;
  view.has_more = run.ChangedAfter(last, 1).size() == 1;
  if (view.has_more) view.version = last;
  return view;
}

absl::StatusOr<RunView> Fleet::View(const std::string& run_id,
                                    int64_t after_version, size_t limit) {
  absl::MutexLock lock(&mutex_);
  const RunEntry* run = runs_.Find(run_id);
  if (run == nullptr) return UnknownRun(run_id);
  return ViewLocked(*run, after_version, limit);
}

absl::StatusOr<RunView> Fleet::AwaitChange(const std::string& run_id,
                                           int64_t after_version, size_t limit,
                                           absl::Duration max_wait) {
  absl::MutexLock lock(&mutex_);
  while (!is_stopped_) {
    const RunEntry* run = runs_.Find(run_id);
    if (run == nullptr) return UnknownRun(run_id);
    bool has_changes =
        after_version > run->version() || run->version() > after_version;
    if (has_changes || run->is_finished()) {
      return ViewLocked(*run, after_version, limit);
    }
    if (runs_changed_.WaitWithTimeout(&mutex_, max_wait)) {
      run = runs_.Find(run_id);
      if (run == nullptr) return UnknownRun(run_id);
      return ViewLocked(*run, after_version, limit);
    }
  }
  return Stopping();
}

absl::StatusOr<std::vector<v1::Exclusion>> Fleet::Exclusions(
    const std::string& run_id) {
  absl::MutexLock lock(&mutex_);
  const RunEntry* run = runs_.Find(run_id);
  if (run == nullptr) return UnknownRun(run_id);
  return run->record().excluded;
}

absl::Status Fleet::CancelRun(const std::string& run_id) {
  bool is_known = false;
  ABSL_RETURN_IF_ERROR(Transact([&](Transaction& transaction) -> absl::Status {
    mutex_.AssertHeld();
    RunEntry* run = runs_.Find(run_id);
    is_known = run != nullptr;
    if (!is_known || run->is_finished() || run->record().is_cancelled) {
      return absl::OkStatus();
    }
    ABSL_RETURN_IF_ERROR(transaction.CancelRun(run_id));
    run->MarkCancelled(++version_);
    std::set<int64_t> pending = run->pending();
    for (int64_t index : pending) {
      run->Finish(index, v1::CANCELLED, ++version_);
    }
    for (auto& [id, host] : hosts_.all()) {
      if (host.call == nullptr) continue;
      for (const LeaseRef& lease : host.leases) {
        if (lease.first == run) Revoke(host, KeyOf(lease), *host.call);
      }
    }
    return absl::OkStatus();
  }));
  return is_known ? absl::OkStatus() : UnknownRun(run_id);
}

absl::StatusOr<v1::SynchronizeResponse> Fleet::Synchronize(
    const v1::SynchronizeRequest& request, std::function<bool()> is_gone) {
  HeldCall call;
  call.is_gone = std::move(is_gone);
  ABSL_RETURN_IF_ERROR(Transact([&](Transaction& transaction) {
    mutex_.AssertHeld();
    return ReportLocked(transaction, request, call);
  }));
  const absl::Duration period = options_.host_timeout / kCallsPerTimeout;
  const absl::Duration hold = std::clamp(FromProtoDuration(request.max_wait()),
                                         absl::ZeroDuration(), period);
  absl::MutexLock lock(&mutex_);
  while (!call.is_done && !is_stopped_) {
    if (call.done.WaitWithTimeout(&mutex_, hold)) break;
  }
  HostEntry* host = hosts_.FindOrAdd(request.host_id());
  if (host != nullptr && host->call == &call) host->call = nullptr;
  ABSL_RETURN_IF_ERROR(call.status);
  if (is_stopped_ && !call.is_done) return Stopping();
  *call.response.mutable_next_call() = ToProtoDuration(period);
  return std::move(call.response);
}

absl::Status Fleet::ReportLocked(Transaction& transaction,
                                 const v1::SynchronizeRequest& request,
                                 HeldCall& call) {
  HostEntry* host = hosts_.FindOrAdd(request.host_id());
  if (host == nullptr) {
    call.Finish(absl::ResourceExhaustedError(
        absl::StrCat("more than ", HostTable::kMaxHosts, " hosts")));
    return absl::OkStatus();
  }
  if (host->IsSuperseded(request.incarnation())) {
    call.Finish(absl::AbortedError(
        absl::StrCat("a newer hostd of host \"", request.host_id(),
                     "\" has called; this one must stop")));
    return absl::OkStatus();
  }
  ABSL_RETURN_IF_ERROR(
      ChangeIncarnationLocked(transaction, *host, request.incarnation()));
  // An earlier call of the same process was given up by its client.
  if (host->call != nullptr) host->call->Finish(absl::OkStatus());
  host->call = &call;
  host->has_called = true;
  host->last_seen = clock_.Monotonic();
  ++host->calls;
  host->context = request.context();
  host->context.set_host_id(request.host_id());
  host->cpus = request.cpus();
  host->memory_mib = request.memory_mib();
  host->unusable_reason = request.unusable_reason();
  for (const v1::AttemptResult& result : request.finished()) {
    ABSL_RETURN_IF_ERROR(SettleLocked(transaction, *host, result));
    *call.response.add_acknowledged() = result.key();
  }
  bool is_introduction = host->calls == 1;
  if (is_introduction || request.finished_size() > 0) {
    call.Finish(absl::OkStatus());
  }
  host->OfferShells(call);
  NoteRunningLocked(*host, request, call);
  ABSL_RETURN_IF_ERROR(EndUnlistedLocked(transaction, *host, request));
  return PlaceLocked(transaction);
}

absl::Status Fleet::ChangeIncarnationLocked(Transaction& transaction,
                                            HostEntry& host,
                                            const std::string& incarnation) {
  if (host.incarnation == incarnation) return absl::OkStatus();
  if (host.call != nullptr) {
    host.call->Finish(absl::AbortedError(absl::StrCat(
        "a newer hostd of host \"", host.host_id, "\" has called")));
    host.call = nullptr;
  }
  host.Supersede(incarnation);
  std::set<LeaseRef> leases = host.leases;
  for (const LeaseRef& lease : leases) {
    const VariantEntry& variant = lease.first->variants()[lease.second];
    if (variant.record.incarnation == incarnation) continue;
    ABSL_RETURN_IF_ERROR(MissLocked(
        transaction, host, lease,
        ResultLocked(lease, v1::MISS,
                     absl::StrCat("hostd of host ", host.host_id,
                                  " was started again during the attempt"))));
  }
  return absl::OkStatus();
}

absl::Status Fleet::SettleLocked(Transaction& transaction, HostEntry& host,
                                 v1::AttemptResult result) {
  RunEntry* run = runs_.Find(result.key().run_id());
  KeepTail(*result.mutable_console_tail());
  KeepTail(*result.mutable_scheduler_log_tail(), kMaxSchedulerLogBytes);
  KeepTail(*result.mutable_test_log_tail());
  KeepTail(*result.mutable_kernel_log_tail());
  KeepBeginning(*result.mutable_sched_ext_dump());
  if (!IsCurrent(run, result.key(), host)) {
    return transaction.KeepEvidence(
        result,
        absl::StrCat("not the current attempt; from host ", host.host_id));
  }
  const LeaseRef lease = {run, result.key().variant()};
  const bool is_cancelled = run->record().is_cancelled;
  switch (result.outcome()) {
    case v1::PASS:
    case v1::FAIL:
    case v1::ERROR:
    case v1::SKIP:
      return FinishLocked(transaction, host, lease, result);
    case v1::CANCELLED:
      if (is_cancelled) return FinishLocked(transaction, host, lease, result);
      result.set_reason(absl::StrCat(
          "host ", host.host_id, " gave the attempt up: ", result.reason()));
      break;
    case v1::MISS:
      break;
    default:
      result.set_reason(
          absl::StrCat("host ", host.host_id, " reported no outcome"));
  }
  ABSL_RETURN_IF_ERROR(MissLocked(transaction, host, lease, result));
  if (run->Find(lease.second)->record.state != v1::PENDING) {
    return absl::OkStatus();
  }
  return transaction.KeepEvidence(result,
                                  "missing; the variant is tried again");
}

absl::Status Fleet::MissLocked(Transaction& transaction, HostEntry& host,
                               LeaseRef lease, v1::AttemptResult result) {
  RunEntry& run = *lease.first;
  const VariantEntry& variant = run.variants()[lease.second];
  if (run.record().is_cancelled) {
    result.set_outcome(v1::CANCELLED);
    if (result.reason().empty()) result.set_reason("the run was cancelled");
    return FinishLocked(transaction, host, lease, result);
  }
  result.set_outcome(v1::MISS);
  if (result.reason().empty()) result.set_reason("the host gave no reason");
  if (std::ssize(variant.record.missed) + 1 >= run.record().max_attempts) {
    return FinishLocked(transaction, host, lease, result);
  }
  MissRecord miss = {.host_id = host.host_id, .reason = result.reason()};
  ABSL_ASSIGN_OR_RETURN(bool is_stored,
                        transaction.Requeue(result.key(), miss));
  if (!is_stored) return absl::InternalError("store and memory disagree");
  host.leases.erase(lease);
  run.Requeue(lease.second, std::move(miss), ++version_);
  return absl::OkStatus();
}

absl::Status Fleet::FinishLocked(Transaction& transaction, HostEntry& host,
                                 LeaseRef lease,
                                 const v1::AttemptResult& result) {
  ABSL_ASSIGN_OR_RETURN(bool is_stored, transaction.Accept(result));
  if (!is_stored) return absl::InternalError("store and memory disagree");
  host.leases.erase(lease);
  lease.first->Finish(lease.second, result.outcome(), ++version_);
  return absl::OkStatus();
}

v1::AttemptResult Fleet::ResultLocked(LeaseRef lease, v1::Outcome outcome,
                                      std::string reason) {
  v1::AttemptResult result;
  *result.mutable_key() = KeyOf(lease);
  result.set_outcome(outcome);
  result.set_reason(std::move(reason));
  return result;
}

void Fleet::NoteRunningLocked(HostEntry& host,
                              const v1::SynchronizeRequest& request,
                              HeldCall& call) {
  for (const v1::RunningAttempt& attempt : request.running()) {
    RunEntry* run = runs_.Find(attempt.key().run_id());
    if (!IsCurrent(run, attempt.key(), host)) {
      Revoke(host, attempt.key(), call);
      continue;
    }
    if (run->record().is_cancelled) Revoke(host, attempt.key(), call);
    const VariantEntry* variant = run->Find(attempt.key().variant());
    if (variant->phase != attempt.phase() &&
        v1::Phase_IsValid(attempt.phase())) {
      run->SetPhase(attempt.key().variant(), attempt.phase(), ++version_);
    }
  }
}

absl::Status Fleet::EndUnlistedLocked(Transaction& transaction, HostEntry& host,
                                      const v1::SynchronizeRequest& request) {
  std::set<std::tuple<std::string, int64_t, int64_t>> listed;
  for (const v1::RunningAttempt& attempt : request.running()) {
    const v1::AttemptKey& key = attempt.key();
    listed.emplace(key.run_id(), key.variant(), key.epoch());
  }
  std::set<LeaseRef> leases = host.leases;
  for (const LeaseRef& lease : leases) {
    const v1::AttemptKey key = KeyOf(lease);
    if (listed.contains({key.run_id(), key.variant(), key.epoch()})) continue;
    const VariantEntry& variant = lease.first->variants()[lease.second];
    bool is_cancelled = lease.first->record().is_cancelled;
    // The answer that carried the lease may still be on its way.
    if (!is_cancelled && variant.given_in_call + 1 >= host.calls) continue;
    ABSL_RETURN_IF_ERROR(MissLocked(
        transaction, host, lease,
        ResultLocked(lease, v1::MISS,
                     is_cancelled
                         ? "the run was cancelled"
                         : absl::StrCat("host ", host.host_id,
                                        " does not know the attempt"))));
  }
  return absl::OkStatus();
}

bool Fleet::IsAliveLocked(const HostEntry& host) {
  return host.has_called &&
         clock_.Monotonic() - host.last_seen < options_.host_timeout;
}

absl::Status Fleet::PlaceLocked(Transaction& transaction) {
  std::vector<HostEntry*> hosts;
  std::vector<HostView> views;
  for (auto& [id, host] : hosts_.all()) {
    if (!IsAliveLocked(host) || !host.unusable_reason.empty()) continue;
    hosts.push_back(&host);
    views.push_back(host.View());
  }
  int64_t free_cpus = 0;
  for (const HostView& view : views) {
    if (view.can_take) free_cpus += std::max(view.free_cpus, 0);
  }
  if (free_cpus == 0) return absl::OkStatus();
  const int64_t limit = std::min(free_cpus + kSpareCandidates, kMaxCandidates);
  std::vector<Waiting> waiting;
  std::vector<RunEntry*> owner;
  for (RunEntry* run : runs_.Unfinished()) {
    int64_t candidates = 0;
    for (int64_t index : run->pending()) {
      if (++candidates > limit) break;
      const VariantRecord& variant = run->variants()[index].record;
      Waiting& each = waiting.emplace_back();
      each = {.run = run->number(),
              .index = index,
              .cpus = variant.cpus,
              .memory_mib = variant.memory_mib};
      for (const MissRecord& miss : variant.missed) {
        each.avoid.push_back(miss.host_id);
      }
      owner.push_back(run);
    }
  }
  for (const Assignment& assignment : policy_.Place(waiting, views)) {
    ABSL_RETURN_IF_ERROR(GrantLocked(transaction, *hosts[assignment.host],
                                     *owner[assignment.waiting],
                                     waiting[assignment.waiting].index));
  }
  return absl::OkStatus();
}

absl::Status Fleet::GrantLocked(Transaction& transaction, HostEntry& host,
                                RunEntry& run, int64_t index) {
  v1::Attempt& attempt = *host.call->response.add_leases();
  v1::AttemptKey& key = *attempt.mutable_key();
  key.set_run_id(run.record().run_id);
  key.set_variant(index);
  key.set_epoch(run.variants()[index].record.epoch + 1);
  ABSL_ASSIGN_OR_RETURN(std::optional<v1::VariantSpec> spec,
                        transaction.Claim(key, host.host_id, host.incarnation));
  if (!spec.has_value()) {
    return absl::InternalError("store and memory disagree");
  }
  run.Lease(index, key.epoch(), host.host_id, host.incarnation, host.calls,
            ++version_);
  host.leases.insert({&run, index});
  *attempt.mutable_budget() =
      ToProto(BudgetFor({.duration = FromProtoDuration(spec->duration()),
                         .vcpus = VcpusOf(*spec),
                         .host_cpus = host.cpus,
                         .is_emulated = host.context.host_class() == "emulated",
                         .guest_mips = host.context.guest_mips()}));
  *attempt.mutable_variant() = *std::move(spec);
  host.call->Finish(absl::OkStatus());
  return absl::OkStatus();
}

std::vector<v1::Host> Fleet::Hosts() {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::Host> hosts;
  for (auto& [id, host] : hosts_.all()) {
    v1::Host& proto = hosts.emplace_back();
    proto.set_host_id(id);
    *proto.mutable_context() = host.context;
    proto.set_cpus(host.cpus);
    proto.set_cpus_in_use(host.CpusInUse());
    proto.set_is_alive(IsAliveLocked(host));
    *proto.mutable_since_last_seen() =
        ToProtoDuration(clock_.Monotonic() - host.last_seen);
    proto.set_unusable_reason(
        host.has_called ? host.unusable_reason
                        : "has not called since the coordinator started");
  }
  return hosts;
}

absl::StatusOr<absl::Duration> Fleet::ExpireHosts() {
  absl::Duration next = options_.host_timeout;
  ABSL_RETURN_IF_ERROR(Transact([&](Transaction& transaction) -> absl::Status {
    mutex_.AssertHeld();
    const absl::Duration now = clock_.Monotonic();
    bool has_expired = false;
    for (auto& [id, host] : hosts_.all()) {
      if (host.leases.empty()) continue;
      absl::Duration left = host.last_seen + options_.host_timeout - now;
      if (left > absl::ZeroDuration()) {
        next = std::min(next, left);
        continue;
      }
      has_expired = true;
      std::set<LeaseRef> leases = host.leases;
      for (const LeaseRef& lease : leases) {
        ABSL_RETURN_IF_ERROR(MissLocked(
            transaction, host, lease,
            ResultLocked(
                lease, v1::MISS,
                absl::StrCat("host ", id, " lost: no call for ",
                             absl::FormatDuration(now - host.last_seen)))));
      }
    }
    return has_expired ? PlaceLocked(transaction) : absl::OkStatus();
  }));
  return next;
}

void Fleet::Stop() {
  absl::MutexLock lock(&mutex_);
  is_stopped_ = true;
  for (auto& [id, host] : hosts_.all()) {
    if (host.call != nullptr) host.call->done.Signal();
  }
  runs_changed_.SignalAll();
}

}  // namespace ktstr::coordinator
