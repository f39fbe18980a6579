// Where the agent's things lie on Linux.
#pragma once

#include <string>
#include <utility>

namespace devicetrust::agent {

struct Paths {
  std::string root;  // Empty, or a folder that stands for "/", as of an image or a test.
  std::string home;  // Of the user.

  std::string config() const { return root + "/etc/device-trust/agent.conf"; }
  // The user information of HttpProxy as in its URL, "USER:PASSWORD": one line, its owner's alone.
  std::string proxy_password() const { return root + "/etc/device-trust/proxy-password"; }
  std::string user_proxy_password() const { return home + "/.config/device-trust/proxy-password"; }
  std::string machine_state() const { return root + "/var/lib/device-trust"; }
  std::string machine_log() const { return root + "/var/log/device-trust/events.log"; }
  // Who the computer was enrolled for: one line.
  std::string enrolled_user() const { return machine_state() + "/user"; }
  std::string device_task_socket() const { return root + "/run/device-trust/device.sock"; }
  std::string keytab() const { return root + "/etc/krb5.keytab"; }
  std::string system_trust() const { return "/etc/ssl/certs/ca-certificates.crt"; }

  std::string user_state() const { return home + "/.local/state/device-trust"; }
  std::string user_log() const { return user_state() + "/events.log"; }
  std::string renewals() const { return user_state() + "/renewals"; }
  std::string lock() const { return user_state() + "/lock"; }
};

}  // namespace devicetrust::agent
