// Policies that let Chrome, Chromium and Edge on Linux choose the Device Trust certificate without
// asking (docs/behaviour.md, AGT-7): AutoSelectCertificateForUrls.
#pragma once

#include <string>
#include <vector>

#include "agent/linux/paths.h"
#include "libs/base/status.h"

namespace devicetrust::agent {

// The value of the policy for the hosts below `mtls_host`: one entry, JSON.
std::string AutoSelectEntry(const std::string& mtls_host);

// Writes one file for each browser. Of several files that set one policy these browsers take the
// last by name alone, so ours is late by name and repeats the entries of the others. Does nothing
// where it would write what is there. What it wrote it remembers in Paths::machine_state().
//
// kFailedPrecondition: somebody else wrote or changed a file of our name; it stays as it is.
// kPermissionDenied: who is not root cannot write it.
absl::Status SetUpBrowsers(const Paths& paths, const std::string& mtls_host);

// Removes the files that SetUpBrowsers() wrote and nobody changed. kFailedPrecondition: one was
// changed, and stays.
absl::Status CleanUpBrowsers(const Paths& paths);

// The files, whether they are there or not.
std::vector<std::string> PolicyFiles(const Paths& paths);

}  // namespace devicetrust::agent
