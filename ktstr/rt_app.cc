// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// WorkType::from_rt_app(): the part of rt-app's JSON grammar that says what a
// task does. Source: doc/tutorial.txt of rt-app.
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "ktstr/work_type.h"
#include "nlohmann/json.hpp"

namespace ktstr {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxBytes = 1 << 20;
constexpr int64_t kMaxUs = 3'600'000'000;
constexpr int64_t kMaxLoop = 1'000'000'000;

// "run" of "run", "run0" and "run12": rt-app numbers what occurs twice.
std::string EventName(absl::string_view key) {
  while (!key.empty() && absl::ascii_isdigit(key.back())) key.remove_suffix(1);
  return std::string(key);
}

// Reads one task; every error begins with where it is.
class TaskReader {
 public:
  explicit TaskReader(absl::string_view task)
      : where_(absl::StrCat("rt-app task \"", task, "\"")) {}

  absl::StatusOr<WorkType> Read(const Json& task) {
    if (!task.is_object()) return Error("is no object");
    ABSL_ASSIGN_OR_RETURN(std::vector<Phase> phases,
                          task.contains("phases") ? Phases(task)
                                                  : Events(task, /*is_task=*/
                                                           true));
    WorkType type = WorkType::sequence(std::move(phases));
    if (absl::Status status = type.Validate(); !status.ok()) {
      return Error(status.message());
    }
    return type;
  }

 private:
  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(where_, " ", what));
  }

  absl::Status NotUnderstood(const std::string& key) const {
    return Error(absl::StrCat("has \"", key,
                              "\"; run, sleep, timer, loop and phases are "
                              "understood, the rest is said by Work"));
  }

  absl::StatusOr<std::vector<Phase>> Phases(const Json& task) {
    for (const auto& [key, value] : task.items()) {
      if (key == "phases") continue;
      if (key != "loop") return NotUnderstood(key);
      ABSL_RETURN_IF_ERROR(CheckEndless(value));
    }
    if (!task["phases"].is_object()) return Error("has phases of no object");
    std::vector<Phase> all;
    const std::string outer = where_;
    for (const auto& [name, phase] : task["phases"].items()) {
      where_ = absl::StrCat(outer, ", phase \"", name, "\"");
      if (!phase.is_object()) return Error("is no object");
      ABSL_ASSIGN_OR_RETURN(std::vector<Phase> events,
                            Events(phase, /*is_task=*/false));
      ABSL_ASSIGN_OR_RETURN(
          int64_t count,
          Whole("loop", phase.value("loop", Json(1)), 1, kMaxLoop));
      all.push_back(
          Phase::loop(static_cast<uint32_t>(count), std::move(events)));
    }
    where_ = outer;
    return all;
  }

  absl::StatusOr<std::vector<Phase>> Events(const Json& object, bool is_task) {
    std::vector<Phase> events;
    for (const auto& [key, value] : object.items()) {
      const std::string name = EventName(key);
      if (key == "loop") {
        if (is_task) ABSL_RETURN_IF_ERROR(CheckEndless(value));
      } else if (name == "run" || name == "sleep") {
        ABSL_ASSIGN_OR_RETURN(int64_t us, Whole(key, value, 1, kMaxUs));
        const std::chrono::microseconds time(us);
        events.push_back(name == "run" ? Phase::run(time) : Phase::sleep(time));
      } else if (name == "timer") {
        ABSL_ASSIGN_OR_RETURN(Phase timer, Timer(key, value));
        events.push_back(timer);
      } else {
        return NotUnderstood(key);
      }
    }
    if (events.empty()) return Error("does nothing");
    return events;
  }

  absl::StatusOr<Phase> Timer(const std::string& key, const Json& value) {
    if (!value.is_object() || !value.contains("period")) {
      return Error(absl::StrCat("has \"", key, "\" without a period"));
    }
    std::string ref;
    for (const auto& [field, item] : value.items()) {
      if (field == "period") continue;
      if (field != "ref" || !item.is_string()) {
        return Error(absl::StrCat("has \"", field, "\" in \"", key,
                                  "\"; ref and period are understood"));
      }
      ref = item.get<std::string>();
    }
    ABSL_ASSIGN_OR_RETURN(int64_t us, Whole(absl::StrCat(key, ".period"),
                                            value["period"], 1, kMaxUs));
    const uint32_t next = static_cast<uint32_t>(timers_.size());
    const uint32_t id = timers_.try_emplace(ref, next).first->second;
    return Phase::timer(std::chrono::microseconds(us), id);
  }

  // A worker works until it is told to stop.
  absl::Status CheckEndless(const Json& loop) const {
    if (loop.is_number_integer() && loop == -1) return absl::OkStatus();
    return Error(absl::StrCat("has loop ", loop.dump(),
                              "; a worker repeats without end, -1"));
  }

  absl::StatusOr<int64_t> Whole(absl::string_view key, const Json& value,
                                int64_t low, int64_t high) const {
    if (value.is_number_integer()) {
      const int64_t number =
          value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX
              ? INT64_MAX
              : value.get<int64_t>();
      if (number >= low && number <= high) return number;
    }
    return Error(absl::StrCat("has \"", key, "\": ", value.dump().substr(0, 40),
                              "; a whole number of ", low, " to ", high,
                              " is accepted"));
  }

  std::string where_;
  std::map<std::string, uint32_t> timers_;
};

}  // namespace

absl::StatusOr<WorkType> WorkType::from_rt_app(absl::string_view json,
                                               absl::string_view task) {
  if (json.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("rt-app description of ", json.size(), " bytes; at most ",
                     kMaxBytes, " are read"));
  }
  Json root = Json::parse(json.begin(), json.end(), /*cb=*/nullptr,
                          /*allow_exceptions=*/false, /*ignore_comments=*/true);
  if (!root.is_object() || !root.contains("tasks") ||
      !root["tasks"].is_object()) {
    return absl::InvalidArgumentError(
        "rt-app description is no JSON object with an object \"tasks\"");
  }
  const Json& tasks = root["tasks"];
  std::vector<std::string> names;
  for (const auto& [name, value] : tasks.items()) names.push_back(name);
  const std::string wanted(task);
  if (wanted.empty() ? names.size() != 1 : !tasks.contains(wanted)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "rt-app description has the tasks [", absl::StrJoin(names, ", "),
        "]; name one of them, not \"", wanted, "\""));
  }
  const std::string& name = wanted.empty() ? names.front() : wanted;
  return TaskReader(name).Read(tasks[name]);
}

}  // namespace ktstr
