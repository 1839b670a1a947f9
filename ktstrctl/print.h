// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_PRINT_H_
#define KTSTR_KTSTRCTL_PRINT_H_

#include <cstdio>
#include <string>

#include "nlohmann/json.hpp"

namespace ktstr::ktstrctl {

// Writes `text` to standard output as it is.
inline void Print(const std::string& text) {
  fwrite(text.data(), 1, text.size(), stdout);
}

// The same of a value, indented by two, what is not UTF-8 replaced.
inline void PrintJson(const nlohmann::ordered_json& value) {
  Print(value.dump(2, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace) +
        "\n");
}

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_PRINT_H_
