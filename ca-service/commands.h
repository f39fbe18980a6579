// What dt-ca does besides serving, each time as a command of its own: the root on its machine, and
// the first issuer of a store before its service starts.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace devicetrust::ca {

// Runs the command that the first word names: root-init, issue-issuing, root-crl, issuer-request,
// issuer-install. Returns its exit code: 0 done, 1 failure, 2 bad usage; nothing when it names
// none.
std::optional<int> RunCommand(int argc, const char* const* argv);

// A line for each, for dt-ca --help.
std::vector<std::string> CommandExamples();

}  // namespace devicetrust::ca
