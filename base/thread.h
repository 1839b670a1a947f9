// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_THREAD_H_
#define KTSTR_BASE_THREAD_H_

#include <functional>
#include <string>
#include <thread>

namespace ktstr {

// A thread with a name that its owner joins.
//
// Blocks: the destructor and Join() wait for the body to return; the owner
//         makes the body return first.
class Thread {
 public:
  Thread() = default;

  // `name` is what /proc/<pid>/task/<tid>/comm shows, at most 15 bytes.
  Thread(std::string name, std::function<void()> body);
  Thread(Thread&&) = default;
  Thread& operator=(Thread&& other);
  ~Thread() { Join(); }

  // Waits for the body to return. A second call does nothing.
  void Join();

 private:
  std::thread thread_;
};

}  // namespace ktstr

#endif  // KTSTR_BASE_THREAD_H_
