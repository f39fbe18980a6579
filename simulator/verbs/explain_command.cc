#include "simulator/verbs/explain_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "libs/base/files.h"
#include "libs/rpc/channel.h"
#include "simulator/deployment/endpoints.h"
#include "simulator/deployment/org_client.h"
#include "simulator/verbs/explain.h"
#include "simulator/verbs/run.h"
#include "simulator/verbs/up.h"

namespace devicetrust::simulator {
namespace {

bool Exists(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

absl::StatusOr<org::v1::Decision> AskOrg(const std::string& endpoints_path,
                                         const std::string& code) {
  DT_ASSIGN_OR_RETURN(const GrpcEndpoint endpoint,
                      ReadGrpcEndpoint(endpoints_path, "policy.internal"));
  DT_ASSIGN_OR_RETURN(const rpc::Identity identity,
                      rpc::LoadIdentity(endpoint.cert_pem, endpoint.key_pem));
  DT_ASSIGN_OR_RETURN(const std::string trust, ReadFile(endpoint.ca_pem));
  OrgClient org(rpc::NewChannel({endpoint.address, endpoint.server_name, trust, identity}),
                nullptr);
  absl::StatusOr<org::v1::Decision> decision = org.Explain(code);
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
  std::fputs(ExplainText(decision, Style::Of(::fileno(out))).c_str(), out);
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
