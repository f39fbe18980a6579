#include "simulator/verbs/explain_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "libs/admin/admin_client.h"
#include "libs/admin/decision_text.h"
#include "libs/admin/endpoints.h"
#include "libs/admin/environments.h"
#include "simulator/report/format.h"
#include "simulator/verbs/kept_decisions.h"
#include "simulator/verbs/run.h"

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

// Where it is: a running environment, or the file of a run.
absl::StatusOr<org::v1::Decision> Find(const ExplainOptions& options) {
  const absl::StatusOr<std::string> live = admin::FindEndpointsFile(options.run_dir);
  std::string kept = options.run_dir + "/decisions.jsonl";
  if (options.run_dir.empty()) {
    DT_ASSIGN_OR_RETURN(kept, LastDecisionsPath());
  }
  if (live.ok() && !live->empty() && (options.run_dir.empty() || Exists(*live))) {
    absl::StatusOr<org::v1::Decision> decision = AskOrg(*live, options.code);
    // The code may be of the run before; with a folder named, only that folder counts.
    if (decision.ok() || !options.run_dir.empty() || !Exists(kept)) return decision;
  }
  absl::StatusOr<org::v1::Decision> decision = FindDecision(kept, options.code);
  if (!decision.ok() && !live.ok()) return live.status();  // One of several may have it.
  return decision;
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
