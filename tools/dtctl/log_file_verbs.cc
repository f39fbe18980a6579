// The verbs below `dtctl log`: export, verify, head.
#include "tools/dtctl/log_file_verbs.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

#include "libs/admin/event_csv.h"
#include "libs/admin/log_check.h"
#include "libs/admin/text.h"
#include "libs/base/printable.h"
#include "libs/eventlog/event_json.h"
#include "libs/service/command_line.h"
#include "tools/dtctl/log_options.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

struct ExportOptions {
  EventOptions events;
  std::string format = "ndjson";
};

int Export(AdminClient& client, const ExportOptions& options) {
  const auto filter = FilterOf(options.events, SystemClock());
  if (!filter.ok()) {
    Failed(filter.status());
    return kUsageError;
  }
  const auto last = client.LastEventSequence();
  if (!last.ok()) return Failed(last.status());
  const bool csv = options.format == "csv";
  if (csv) std::cout << admin::EventCsvHeader();
  std::int64_t count = 0;
  const absl::Status status = client.ReplayEvents(
      *filter, 0, *last,
      [&](const org::v1::Event& event) {
        ++count;
        if (csv) {
          std::cout << admin::EventCsvLine(event);
        } else {
          std::cout << PrintableJson(eventlog::EventJson(event)) << "\n";
        }
        return std::cout.good();
      },
      [] { std::cerr << "dtctl: events were deleted while this went on; begin again.\n"; });
  if (!status.ok()) return Failed(status);
  std::cerr << fmt::format("dtctl: {}.\n", admin::Plural(static_cast<std::size_t>(count), "event"));
  return kDone;
}

struct VerifyOptions {
  std::string file;
  std::string head_file;
};

absl::StatusOr<std::optional<org::v1::LogHead>> KeptHead(const std::string& path) {
  if (path.empty()) return std::optional<org::v1::LogHead>();
  DT_ASSIGN_OR_RETURN(const std::string text, ReadInput(path));
  DT_ASSIGN_OR_RETURN(org::v1::LogHead head, admin::HeadFromJson(InputName(path), text));
  return std::optional(std::move(head));
}

int Tell(const admin::LogCheck& check, const std::string& what) {
  const auto plural = [](std::int64_t count, std::string_view noun) {
    return admin::Plural(static_cast<std::size_t>(count), noun);
  };
  if (!check.problem.empty()) {
    std::cerr << fmt::format("dtctl: {} does not hold: {}\n       {} before it hold.\n", what,
                             check.problem, plural(check.events, "event"));
    return kFailed;
  }
  std::cout << fmt::format("{} holds: {}, {} of the chain", what, plural(check.events, "event"),
                           plural(check.heads, "head"));
  if (check.unchained > 0) {
    std::cout << fmt::format("; {} of them are older than the chain", check.unchained);
  }
  std::cout << "\n";
  return kDone;
}

int VerifyFile(const VerifyOptions& options) {
  const auto head = KeptHead(options.head_file);
  if (!head.ok()) return Failed(head.status());
  if (options.file == "-") return Tell(admin::CheckExport(std::cin, *head), "the export");
  std::ifstream file(options.file);
  if (!file) {
    return Failed(
        absl::NotFoundError(fmt::format("cannot open {}: {}", options.file, std::strerror(errno))));
  }
  const admin::LogCheck check = admin::CheckExport(file, *head);
  if (file.bad()) return Failed(absl::UnavailableError(options.file + ": can't be read"));
  return Tell(check, options.file);
}

int VerifyOrg(AdminClient& client, const VerifyOptions& options) {
  const auto head = KeptHead(options.head_file);
  if (!head.ok()) return Failed(head.status());
  const auto check = admin::CheckLog(client, *head);
  if (!check.ok()) return Failed(check.status());
  return Tell(*check, "the System Log");
}

void AddExport(CLI::App& log, Action& chosen) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* const verb =
      log.add_subcommand("export", "Write all events that match to standard output, oldest first");
  verb->add_option("--format", options->format,
                   "ndjson: an event in JSON a line (docs/system-log.schema.json); csv: for"
                   " spreadsheets")
      ->capture_default_str()
      ->type_name("ndjson|csv")
      ->check([](const std::string& word) {
        return word == "ndjson" || word == "csv" ? std::string()
                                                 : fmt::format("{} is none of ndjson, csv", word);
      });
  AddEventOptions(*verb, options->events);
  verb->footer(
      "Examples:\n"
      "  dtctl log export > log.ndjson\n"
      "  dtctl log export --format csv --since 7d --type pki.cert.revoke > revoked.csv");
  verb->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return Export(client, *options); };
  });
}

void AddVerify(CLI::App& log, Action& chosen, LocalAction& local) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* const verb = log.add_subcommand(
      "verify", "Whether no event was changed, removed or added since it was written");
  verb->add_option("file", options->file,
                   "An export of all events (ndjson; - for standard input), without asking the org")
      ->type_name("FILE");
  verb->add_option("--head", options->head_file,
                   "A head that was kept elsewhere, as `log head` writes it: shows a cut end")
      ->type_name("FILE");
  verb->footer(
      "Examples:\n"
      "  dtctl log verify\n"
      "  dtctl log verify --head head.json\n"
      "  dtctl log export > log.ndjson && dtctl log verify log.ndjson\n"
      "Exit code 1 and the event from which on it does not hold, else 0.");
  verb->callback([options, &chosen, &local] {
    if (options->file.empty()) {
      chosen = [options](AdminClient& client) { return VerifyOrg(client, *options); };
    } else {
      local = [options] { return VerifyFile(*options); };
    }
  });
}

void AddHead(CLI::App& log, Action& chosen) {
  CLI::App* const verb =
      log.add_subcommand("head", "The newest hash of the chain, signed, to be kept elsewhere");
  verb->footer(
      "Examples:\n"
      "  dtctl log head > head.json       keep it where the org's operators can't write\n"
      "  dtctl log verify --head head.json");
  verb->callback([&chosen] {
    chosen = [](AdminClient& client) {
      const auto chain = client.GetLogChain();
      if (!chain.ok()) return Failed(chain.status());
      std::cout << admin::HeadJson(chain->head()) << "\n";
      return kDone;
    };
  });
}

}  // namespace

void AddLogFileVerbs(CLI::App& log, Action& chosen, LocalAction& local) {
  AddExport(log, chosen);
  AddVerify(log, chosen, local);
  AddHead(log, chosen);
}

}  // namespace devicetrust::ctl
