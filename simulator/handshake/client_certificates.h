// The certificates that a load shows: made by a throw-away CA, or read.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::simulator {

inline constexpr std::size_t kClientCertificatesMax = 200'000;

struct ClientCertificates {
  std::vector<pki::Identity> current;
  std::vector<pki::Identity> revoked;
};

// From a folder with NAME.pem or NAME.crt (leaf first, then its issuers) and NAME.key, or from a
// file with such a chain and its key in turn. Errors: those of ReadFile(); kInvalidArgument names
// the file and what is wrong; kNotFound: there is none.
absl::StatusOr<std::vector<pki::Identity>> ReadClientCertificates(const std::string& path);

// As ReadClientCertificates(), but of a folder that MakeFolder() wrote its two files.
absl::StatusOr<ClientCertificates> ReadClientCertificatesAndRevoked(const std::string& path);

// Appends `count` device certificates, each with a key of its own, signed by `ca`.
void MakeDevices(const pki::Identity& ca, const std::string& org, std::size_t count, WallTime now,
                 std::vector<pki::Identity>& to, std::string* pem = nullptr);

struct FolderPlan {
  std::size_t certificates = 1000;
  std::size_t revoked = 100;         // That clients hold, to show them.
  std::size_t revoked_in_all = 100;  // Entries of the list, at least `revoked`.
  std::string server_name = "localhost";
  // Who signs them, the CA first and then who signed that one; empty: a CA whose key nobody keeps.
  std::vector<pki::Identity> authorities = {};
  std::string org = "load";
};

// What a server and its load need: ca.pem (signs clients), crl.pem (its list; of each authority
// one), clients.pem and revoked.pem for this reader, and for the server server.pem, server.key and
// server-ca.pem (signs that). `folder` is made when missing. Errors: those of
// WriteFileAtomically(); kInternal when it can't be made.
absl::Status MakeFolder(const FolderPlan& plan, const std::string& folder, WallTime now);

}  // namespace devicetrust::simulator
