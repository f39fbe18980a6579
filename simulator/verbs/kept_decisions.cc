#include "simulator/verbs/kept_decisions.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <fstream>

#include "libs/base/files.h"
#include "libs/base/names.h"
#include "libs/base/printable.h"

namespace devicetrust::simulator {

namespace v1 = ::devicetrust::org::v1;

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
  const std::optional<std::string> wanted = TypedCode(code);
  for (std::string line; std::getline(file, line);) {
    v1::Decision decision;
    if (google::protobuf::util::JsonStringToMessage(line, &decision).ok() && wanted.has_value() &&
        TypedCode(decision.code()) == wanted) {
      return decision;
    }
  }
  return absl::NotFoundError(fmt::format(
      "no decision of the last run has the code {}; {} lists them all", Printable(code), path));
}

}  // namespace devicetrust::simulator
