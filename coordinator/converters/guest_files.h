// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Files that a client wants in a guest, checked.
#ifndef KTSTR_COORDINATOR_CONVERTERS_GUEST_FILES_H_
#define KTSTR_COORDINATOR_CONVERTERS_GUEST_FILES_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/attempt.pb.h"

namespace ktstr::coordinator {

using GuestFiles = google::protobuf::RepeatedPtrField<v1::GuestFile>;

// InvalidArgument for a malformed digest, size or name; `where` stands in front
// of the message, here and below.
absl::Status CheckArtifact(const v1::ArtifactRef& ref, absl::string_view where);

// The same for each file's content, and for a guest path that is not absolute
// and clean, or belongs to the guest's own set-up.
absl::Status CheckGuestFiles(const GuestFiles& files, absl::string_view where);

using KernelModules = google::protobuf::RepeatedPtrField<v1::ArtifactRef>;

// The same for kernel modules, of which a guest loads a few.
absl::Status CheckModules(const KernelModules& modules,
                          absl::string_view where);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_CONVERTERS_GUEST_FILES_H_
