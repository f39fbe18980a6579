// MIT's krb5kdc over an account table, as a child process on a loopback port.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "simulator/forest/child_process.h"

namespace devicetrust::simulator {

struct KdcConfig {
  std::string run_dir;              // Existing folder: configuration and output go there.
  std::string table;                // The account table's path; its realms exist already.
  std::vector<std::string> realms;  // The first is the default realm.
  std::uint16_t port = 0;           // UDP and TCP on 127.0.0.1; 0: a free one.
  bool log_requests = false;        // Into run_dir/krb5kdc.log, 0.7 kB a logon.
  std::string program = {};         // Empty: krb5kdc from /usr/sbin or /usr/local/sbin.
  std::string plugin = {};  // Empty: ../lib/dt_forest_kdb.so beside the running program's folder.
};

class Kdc {
 public:
  // Returns when the KDC answers. Needs no privilege.
  // Errors: kNotFound krb5kdc (package krb5-kdc) or the plug-in is missing;
  // kAlreadyExists `port` is taken; kUnavailable it ended or stayed silent, with its last lines.
  static absl::StatusOr<std::unique_ptr<Kdc>> Start(const KdcConfig& config);
  ~Kdc();

  // krb5.conf for clients and servers: value of KRB5_CONFIG.
  const std::string& config_path() const { return config_path_; }
  std::uint16_t port() const { return port_; }
  pid_t pid() const { return child_->pid(); }

  // kUnavailable with its last lines once it has ended by itself.
  absl::Status Check() const;
  bool WaitForEnd(std::chrono::milliseconds limit) const { return child_->WaitForEnd(limit); }
  void Stop();
  absl::Status StartAgain();  // After Stop(), on the same port. Errors as Start().
  void Signal(int number) { child_->Signal(number); }

 private:
  Kdc(KdcConfig config, std::uint16_t port);
  absl::Status WriteConfiguration(bool log_requests) const;
  absl::Status Launch(bool log_requests);
  absl::Status WaitUntilItAnswers() const;
  absl::Status Failed(const std::string& how) const;

  const KdcConfig config_;
  const std::uint16_t port_;
  const std::string config_path_, kdc_config_path_, log_path_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace devicetrust::simulator
