// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/catalog/scene.h"

namespace ktstr::catalog {

Work Diverse(int i) {
  switch (i % 5) {
    case 0:
      return Of(WorkType::cpu_spin());
    case 1:
      return Of(Bursty(50ms, 100ms));
    case 2:
      return Of(2, WorkType::io_sync());
    case 3:
      return Of(WorkType::mixed());
    default:
      return Of(WorkType::yield_heavy());
  }
}

}  // namespace ktstr::catalog
