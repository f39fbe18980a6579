#include "simulator/verbs/explain_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "libs/admin/admin_client.h"
#include "libs/admin/decision_text.h"
#include "libs/admin/endpoints.h"
#include "simulator/report/format.h"
#include "simulator/verbs/kept_decisions.h"
#include "simulator/verbs/run.h"
#include "simulator/verbs/up.h"

namespace devicetrust::simulator {
namespace {

bool Exists(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

absl::StatusOr<org::v1::Decision> AskOrg(const std::string& endpoints_path,
                                         const std::string& code) {
  DT_ASSIGN_OR_RETURN(const admin::Endpoints endpoints, admin::ReadEndpointsFile(endpoints_path));
  absl::StatusOr<org::v1::Decision> decision = admin::AdminClient(endpoints).ExplainDecision(code);
  if (!absl::IsUnavailable(decision.status()) && !absl::IsDeadlineExceeded(decision.status())) {
    return decision;
  }
  return absl::UnavailableError(fmt::format(
      "the environment of {} does not answer: it has ended, and its decisions with it.\n"
      "        Start another with dt-sim up, or name the folder of a run with --run-dir",
      std::filesystem::path(endpoints_path).parent_path().string()));
}

absl::StatusOr<org::v1::Decision> Find(const ExplainOptions& options) {
  std::string live;
  std::string kept;
  if (!options.run_dir.empty()) {
    live = options.run_dir + "/endpoints.json";
    kept = options.run_dir + "/decisions.jsonl";
  } else {
    DT_ASSIGN_OR_RETURN(live, LiveEndpointsPath());
    DT_ASSIGN_OR_RETURN(kept, LastDecisionsPath());
  }
  if (!live.empty() && Exists(live)) {
    absl::StatusOr<org::v1::Decision> decision = AskOrg(live, options.code);
    // The code may be of the run before; with a folder named, only that folder counts.
    if (decision.ok() || !options.run_dir.empty() || !Exists(kept)) return decision;
  }
  return FindDecision(kept, options.code);
}

}  // namespace

absl::Status Explain(const ExplainOptions& options, std::FILE* out) {
  DT_ASSIGN_OR_RETURN(const org::v1::Decision decision, Find(options));
  const admin::Color color =
      Style::Of(::fileno(out)).colour ? admin::Color::kAlways : admin::Color::kNever;
  std::fputs(admin::DecisionText(decision, color).c_str(), out);
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
