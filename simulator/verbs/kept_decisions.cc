#include "simulator/verbs/kept_decisions.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <fstream>

#include "libs/base/ascii.h"
#include "libs/base/files.h"

namespace devicetrust::simulator {

namespace v1 = ::devicetrust::org::v1;

namespace {

std::string Normalized(const std::string& code) {
  std::string plain;
  for (const char c : code) {
    if (IsAlnum(c)) plain += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return plain;
}

}  // namespace

absl::Status WriteDecisions(const std::string& path, const std::vector<v1::Decision>& decisions) {
  std::string text;
  for (const v1::Decision& decision : decisions) {
    if (!google::protobuf::util::MessageToJsonString(decision, &text).ok()) {
      return absl::InternalError("a decision has no JSON form");
    }
    text += '\n';
  }
  return WriteFileAtomically(path, text);
}

absl::StatusOr<v1::Decision> FindDecision(const std::string& path, const std::string& code) {
  std::ifstream file(path);
  if (!file) {
    return absl::NotFoundError(fmt::format(
        "{} does not exist: no run has kept its decisions there. Run dt-sim run first, or name a "
        "running environment with --run-dir",
        path));
  }
  const std::string wanted = Normalized(code);
  for (std::string line; std::getline(file, line);) {
    v1::Decision decision;
    if (google::protobuf::util::JsonStringToMessage(line, &decision).ok() &&
        Normalized(decision.code()) == wanted) {
      return decision;
    }
  }
  return absl::NotFoundError(
      fmt::format("no decision of the last run has the code {}; {} lists them all", code, path));
}

}  // namespace devicetrust::simulator
