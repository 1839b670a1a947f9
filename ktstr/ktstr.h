// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The one header test authors include. Guide: docs/writing-tests/.
#ifndef KTSTR_KTSTR_KTSTR_H_
#define KTSTR_KTSTR_KTSTR_H_

#include "ktstr/bpf_map_write.h"      // IWYU pragma: export
#include "ktstr/checks.h"             // IWYU pragma: export
#include "ktstr/context.h"            // IWYU pragma: export
#include "ktstr/cpu_max.h"            // IWYU pragma: export
#include "ktstr/cpu_set.h"            // IWYU pragma: export
#include "ktstr/declared_topology.h"  // IWYU pragma: export
#include "ktstr/expectation.h"        // IWYU pragma: export
#include "ktstr/measurement.h"        // IWYU pragma: export
#include "ktstr/memory_policy.h"      // IWYU pragma: export
#include "ktstr/op.h"                 // IWYU pragma: export
#include "ktstr/options.h"            // IWYU pragma: export
#include "ktstr/payload.h"            // IWYU pragma: export
#include "ktstr/payload_result.h"     // IWYU pragma: export
#include "ktstr/payload_run.h"        // IWYU pragma: export
#include "ktstr/quarantine.h"         // IWYU pragma: export
#include "ktstr/relative.h"           // IWYU pragma: export
#include "ktstr/scenario.h"           // IWYU pragma: export
#include "ktstr/scheduler.h"          // IWYU pragma: export
#include "ktstr/test.h"               // IWYU pragma: export
#include "ktstr/topology.h"           // IWYU pragma: export
#include "ktstr/verdict.h"            // IWYU pragma: export
#include "ktstr/work.h"               // IWYU pragma: export
#include "ktstr/work_type.h"          // IWYU pragma: export

#endif  // KTSTR_KTSTR_KTSTR_H_
