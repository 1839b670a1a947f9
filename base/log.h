// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Logging for programs. Libraries return errors and leave logging to their
// caller.
#ifndef KTSTR_BASE_LOG_H_
#define KTSTR_BASE_LOG_H_

#include <time.h>

#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace ktstr {

// Sends log lines to standard error as "program: level: text"; colours only on
// a terminal. `level` is one of trace, debug, info, warning, error.
inline void StartLogging(const char* program, const char* level = "info") {
  tzset();  // reads a file, which a program may forbid itself later
  auto logger = spdlog::stderr_color_mt(program);
  logger->set_pattern("%H:%M:%S.%e %n: %^%l%$: %v");
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(logger);
}

}  // namespace ktstr

#endif  // KTSTR_BASE_LOG_H_
