// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_SERVER_RANDOM_H_
#define KTSTR_COORDINATOR_SERVER_RANDOM_H_

#include <atomic>
#include <cstdint>

namespace ktstr::coordinator {

// Where the coordinator gets random numbers: seeds and run ids.
//
// Threads: any.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
};

// The kernel's random numbers. Lives forever.
Random& KernelRandom();

// Counts from `first`; for tests.
class CountingRandom : public Random {
 public:
  explicit CountingRandom(uint64_t first) : next_(first) {}
  uint64_t Next() override { return next_++; }

 private:
  std::atomic<uint64_t> next_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_SERVER_RANDOM_H_
