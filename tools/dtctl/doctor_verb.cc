#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "libs/admin/diagnosis_text.h"
#include "libs/base/printable.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

struct DoctorOptions {
  std::string code;
  std::string user;
  std::string device;
  bool json = false;
};

int Doctor(AdminClient& client, const DoctorOptions& options) {
  const int named = !options.code.empty() + !options.user.empty() + !options.device.empty();
  if (named != 1) return Usage("doctor takes one of --code, --user and --device");
  org::v1::DiagnoseRequest request;
  if (!options.code.empty()) request.set_code(options.code);
  if (!options.user.empty()) request.set_user(options.user);
  if (!options.device.empty()) request.set_device(options.device);
  const auto diagnosis = client.Diagnose(request);
  if (!diagnosis.ok()) return Failed(diagnosis.status());
  Print(options.json, *diagnosis, PrintableLines(admin::DiagnosisText(*diagnosis)));
  return diagnosis->first_failed().empty() ? kDone : kFailed;
}

}  // namespace

void AddDoctorVerb(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<DoctorOptions>();
  CLI::App* const verb = app.add_subcommand(
      "doctor", "Why somebody is not let in: every check, the first remedy on top");
  verb->add_option("--code", options->code, "One sign-in: the code on the refusal page")
      ->type_name("CODE");
  verb->add_option("--user", options->user, "A person: principal, SID or id")->type_name("WHO");
  verb->add_option("--device", options->device, "A computer: its device id")->type_name("ID");
  verb->add_flag("--json", options->json, "Print everything as JSON");
  verb->footer(
      "Exit codes: 0 no check fails, 1 one does or the org refused, 2 bad usage.\n"
      "Examples:\n"
      "  dtctl doctor --code 7F3K-9QXD\n"
      "  dtctl doctor --user ada@corp.test\n"
      "  dtctl doctor --device 4f0c9a77d1e2 --json | jq .first_failed");
  verb->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return Doctor(client, *options); };
  });
}

}  // namespace devicetrust::ctl
