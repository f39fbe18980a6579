// The KDC's database: answers krb5kdc from the mapped account table, so that an account
// exists, is disabled or has a new password from the very next request on. Loaded into
// krb5kdc, which is C: no exception may leave a function here, and what is handed over is
// allocated as libkdb5 frees it, with malloc.
//
// There is no master key: the table is as secret as the run folder. A "key data" entry holds
// either a key or the recipe of one, and DecryptKeyData() makes the key of it. A password's
// key costs 3.6 ms (PBKDF2), so it is made when first needed and kept by its version.
#include <krb5.h>
extern "C" {
#include <kdb.h>
#include <profile.h>
}

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

#include "libs/base/names.h"
#include "libs/kerberos/pac.h"
#include "simulator/forest/account_layout.h"
#include "simulator/forest/account_table.h"

namespace devicetrust::simulator {
namespace {

constexpr krb5_deltat kTicketSeconds = 10 * 3600;
constexpr krb5_deltat kRenewSeconds = 7 * 24 * 3600;
constexpr std::size_t kPasswordKeysMax = 100'000;
constexpr std::size_t kKeysMax = 3;  // Of one account.

// First byte of a key data entry.
constexpr char kRawKey = 'K';        // The rest is the key.
constexpr char kFromPassword = 'P';  // The rest is the principal, a NUL, the password.

struct Directory {
  AccountView accounts;
  std::uint32_t realm;  // Of this KDC realm: each has a module instance of its own.
  std::string realm_name;
};

Directory& DirectoryOf(krb5_context context) {
  void* directory = nullptr;
  krb5_db_get_context(context, &directory);
  return *static_cast<Directory*>(directory);
}

// Runs `body` and turns whatever it throws into an error code.
template <typename Body>
krb5_error_code Guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  } catch (...) {
    return KRB5_KDB_INTERNAL_ERROR;
  }
}

krb5_error_code PrincipalName(krb5_context context, krb5_const_principal principal,
                              std::string& name) {
  char* text = nullptr;
  const krb5_error_code code = krb5_unparse_name(context, principal, &text);
  if (code != 0) return code;
  name = text;
  krb5_free_unparsed_name(context, text);
  return 0;
}

// By account name, or by UPN when the name is an enterprise name ([MS-KILE] 3.3.5.6.1).
std::optional<Row> FindRow(krb5_context context, krb5_const_principal principal) {
  const Directory& directory = DirectoryOf(context);
  const AccountView& accounts = directory.accounts;
  std::optional<std::uint32_t> slot;
  if (principal->type == KRB5_NT_ENTERPRISE_PRINCIPAL && principal->length == 1) {
    const std::string_view upn(principal->data[0].data, principal->data[0].length);
    slot = accounts.FindUpn(upn);
    const std::size_t at = upn.rfind('@');
    if (!slot && at != upn.npos && SameName(upn.substr(at + 1), directory.realm_name)) {
      slot = accounts.FindName(directory.realm, upn.substr(0, at));
    }
  } else {
    std::string name;
    if (PrincipalName(context, principal, name) == 0) slot = accounts.FindPrincipal(name);
  }
  return slot ? std::optional(accounts.Read(*slot)) : std::nullopt;
}

void* Allocate(std::size_t bytes) {
  void* memory = std::calloc(1, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

struct EntryFree {
  void operator()(krb5_db_entry* entry) const noexcept {
    krb5_context none = nullptr;
    krb5_free_principal(none, entry->princ);
    for (int i = 0; i < entry->n_key_data; ++i) {
      std::free(entry->key_data[i].key_data_contents[0]);
    }
    std::free(entry->key_data);
    std::free(entry);
  }
};
using EntryPtr = std::unique_ptr<krb5_db_entry, EntryFree>;

void AddKey(krb5_db_entry& entry, int enctype, std::uint32_t kvno, const std::string& contents) {
  krb5_key_data& key = entry.key_data[entry.n_key_data];
  key.key_data_contents[0] = static_cast<krb5_octet*>(Allocate(contents.size()));
  std::memcpy(key.key_data_contents[0], contents.data(), contents.size());
  key.key_data_length[0] = static_cast<krb5_ui_2>(contents.size());
  key.key_data_type[0] = static_cast<krb5_int16>(enctype);
  key.key_data_ver = 1;  // Without a salt of its own: the principal's.
  key.key_data_kvno = static_cast<krb5_ui_2>(kvno);
  ++entry.n_key_data;
}

krb5_flags AttributesOf(const Account& account) {
  krb5_flags attributes = 0;
  const bool person_or_computer =
      account.kind == AccountKind::kUser || account.kind == AccountKind::kComputer;
  attributes |= KRB5_KDB_REQUIRES_PRE_AUTH;
  if (person_or_computer) attributes |= KRB5_KDB_DISALLOW_SVR;
  if (account.has(kDisabled)) attributes |= KRB5_KDB_DISALLOW_ALL_TIX;
  if (account.has(kMustChangePassword)) attributes |= KRB5_KDB_REQUIRES_PWCHANGE;
  return attributes;
}

EntryPtr EntryOf(krb5_context context, const Account& account) {
  // Of the account and not of the request: the salt of its password hangs on the spelling.
  const std::string name =
      account.name.str() + "@" + DirectoryOf(context).accounts.realms()[account.realm].name.str();
  EntryPtr entry(static_cast<krb5_db_entry*>(Allocate(sizeof(krb5_db_entry))));
  entry->magic = KRB5_KDB_MAGIC_NUMBER;
  entry->len = KRB5_KDB_V1_BASE_LENGTH;
  entry->max_life = kTicketSeconds;
  entry->max_renewable_life = kRenewSeconds;
  entry->attributes = AttributesOf(account);
  entry->expiration = static_cast<krb5_timestamp>(account.expires);
  if (krb5_parse_name(context, name.c_str(), &entry->princ) != 0) throw std::bad_alloc();

  entry->key_data = static_cast<krb5_key_data*>(Allocate(kKeysMax * sizeof(krb5_key_data)));
  if (!account.password.empty()) {
    const std::string recipe = kFromPassword + name + '\0' + account.password.str();
    AddKey(*entry, ENCTYPE_AES256_CTS_HMAC_SHA1_96, account.kvno, recipe);
    AddKey(*entry, ENCTYPE_AES128_CTS_HMAC_SHA1_96, account.kvno, recipe);
  }
  const LogonKey key = LogonKeyOf(account);
  AddKey(*entry, key.enctype, account.kvno, kRawKey + std::string(key.key.begin(), key.key.end()));
  // Tickets are encrypted by the first key; the session keys that clients may have for a service
  // are of all types that it has a key of.
  if (account.kind == AccountKind::kService || account.kind == AccountKind::kTrust) {
    AddKey(*entry, ENCTYPE_AES128_CTS_HMAC_SHA1_96, account.kvno,
           kRawKey + std::string(key.key.begin(), key.key.begin() + 16));
  }
  return entry;
}

krb5_error_code GetPrincipal(krb5_context context, krb5_const_principal principal,
                             unsigned /*flags*/, krb5_db_entry** out) noexcept {
  return Guarded([&]() -> krb5_error_code {
    const std::optional<Row> row = FindRow(context, principal);
    if (!row) return KRB5_KDB_NOENTRY;
    const Account& account = row->account;
    // Another realm's accounts are its own KDC's business, but for the trusts between them.
    if (account.realm != DirectoryOf(context).realm && account.kind != AccountKind::kTrust) {
      return KRB5_KDB_NOENTRY;
    }
    *out = EntryOf(context, account).release();
    return 0;
  });
}

// ---- Keys

krb5_error_code SetKey(krb5_keyblock& out, int enctype, const void* bytes, std::size_t size) {
  out = {};
  out.magic = KV5M_KEYBLOCK;
  out.enctype = enctype;
  out.length = static_cast<unsigned>(size);
  out.contents = static_cast<krb5_octet*>(Allocate(size));
  std::memcpy(out.contents, bytes, size);
  return 0;
}

// Keys made of passwords, by principal and enctype. krb5kdc serves from a single thread.
class PasswordKeys {
 public:
  krb5_error_code Get(krb5_context context, int enctype, unsigned kvno, const std::string& name,
                      const std::string& password, krb5_keyblock& out) {
    const std::string which = name + '\0' + std::to_string(enctype);
    const auto found = keys_.find(which);
    if (found != keys_.end() && found->second.kvno == kvno && found->second.password == password) {
      return SetKey(out, enctype, found->second.key.data(), found->second.key.size());
    }
    krb5_principal principal = nullptr;
    krb5_data salt{};
    krb5_error_code code = krb5_parse_name(context, name.c_str(), &principal);
    if (code == 0) code = krb5_principal2salt(context, principal, &salt);
    krb5_data text{};
    text.data = const_cast<char*>(password.data());
    text.length = static_cast<unsigned>(password.size());
    if (code == 0) code = krb5_c_string_to_key(context, enctype, &text, &salt, &out);
    krb5_free_data_contents(context, &salt);
    krb5_free_principal(context, principal);
    if (code != 0) return code;
    if (keys_.size() >= kPasswordKeysMax) keys_.clear();
    keys_[which] = {kvno, password, std::string(out.contents, out.contents + out.length)};
    return 0;
  }

 private:
  struct Made {
    unsigned kvno = 0;
    std::string password;
    std::string key;
  };
  std::unordered_map<std::string, Made> keys_;
};

krb5_error_code DecryptKeyData(krb5_context context, const krb5_keyblock* /*master*/,
                               const krb5_key_data* data, krb5_keyblock* out,
                               krb5_keysalt* salt) noexcept {
  return Guarded([&]() -> krb5_error_code {
    static PasswordKeys password_keys;
    if (salt != nullptr) *salt = {};
    const std::string contents(data->key_data_contents[0],
                               data->key_data_contents[0] + data->key_data_length[0]);
    const int enctype = data->key_data_type[0];
    if (contents.empty()) return KRB5_KDB_INTERNAL_ERROR;
    if (contents[0] == kRawKey) {
      return SetKey(*out, enctype, contents.data() + 1, contents.size() - 1);
    }
    const std::size_t end = contents.find('\0');
    if (contents[0] != kFromPassword || end == std::string::npos) return KRB5_KDB_INTERNAL_ERROR;
    return password_keys.Get(context, enctype, data->key_data_kvno, contents.substr(1, end - 1),
                             contents.substr(end + 1), *out);
  });
}

// krb5kdc wants a master key before it starts, and never uses this one.
krb5_error_code FetchMasterKey(krb5_context /*context*/, krb5_principal /*name*/,
                               krb5_keyblock* key, krb5_kvno* kvno, char* /*arguments*/) noexcept {
  return Guarded([&] {
    const std::string zeros(32, '\0');
    *kvno = 1;
    return SetKey(*key, ENCTYPE_AES256_CTS_HMAC_SHA1_96, zeros.data(), zeros.size());
  });
}

krb5_error_code FetchMasterKeyList(krb5_context context, krb5_principal /*name*/,
                                   const krb5_keyblock* key, krb5_keylist_node** list) noexcept {
  return Guarded([&]() -> krb5_error_code {
    auto* node = static_cast<krb5_keylist_node*>(Allocate(sizeof(krb5_keylist_node)));
    node->kvno = 1;
    const krb5_error_code code = krb5_copy_keyblock_contents(context, key, &node->keyblock);
    if (code != 0) {
      std::free(node);
      return code;
    }
    *list = node;
    return 0;
  });
}

// ---- Policy

// Account state that MIT has no attribute for.
krb5_error_code CheckPolicyAs(krb5_context context, krb5_kdc_req* /*request*/,
                              krb5_db_entry* client, krb5_db_entry* /*server*/, krb5_timestamp now,
                              const char** status, krb5_pa_data*** /*e_data*/) noexcept {
  return Guarded([&]() -> krb5_error_code {
    const std::optional<Row> row = FindRow(context, client->princ);
    if (!row || !row->account.IsLocked(now)) return 0;
    *status = "ACCOUNT_LOCKED";
    return KRB5KDC_ERR_CLIENT_REVOKED;
  });
}

// What has become of an account since its ticket-granting ticket: MIT itself does not look. Each
// state with the error that Active Directory gives for it.
krb5_error_code CheckPolicyTgs(krb5_context context, krb5_kdc_req* /*request*/,
                               krb5_db_entry* /*server*/, krb5_ticket* ticket, const char** status,
                               krb5_pa_data*** /*e_data*/) noexcept {
  return Guarded([&]() -> krb5_error_code {
    const krb5_data& realm = ticket->enc_part2->client->realm;
    if (std::string_view(realm.data, realm.length) != DirectoryOf(context).realm_name) return 0;
    const std::optional<Row> row = FindRow(context, ticket->enc_part2->client);
    krb5_timestamp now = 0;
    if (const krb5_error_code code = krb5_timeofday(context, &now); code != 0) return code;
    *status = "ACCOUNT_REVOKED_SINCE_TGT";
    if (!row || row->account.has(kDisabled)) return KRB5KDC_ERR_CLIENT_REVOKED;
    if (row->account.IsLocked(now)) return KRB5KDC_ERR_CLIENT_REVOKED;
    if (row->account.HasExpired(now)) return KRB5KDC_ERR_NAME_EXP;
    *status = nullptr;
    return 0;
  });
}

// ---- PAC

krb5_error_code AddLogonInfo(krb5_context context, const Bytes& bytes, krb5_pac pac) {
  krb5_data data{};
  data.data = reinterpret_cast<char*>(const_cast<std::uint8_t*>(bytes.data()));
  data.length = static_cast<unsigned>(bytes.size());
  return krb5_pac_add_buffer(context, pac, KRB5_PAC_LOGON_INFO, &data);
}

kerberos::LogonInfo LogonInfoOf(const Realm& realm, const Row& row, krb5_timestamp logon_time,
                                bool asserted_by_service) {
  const Account& account = row.account;
  kerberos::LogonInfo info;
  info.name = account.name.str();
  info.full_name = row.person.display_name.str();
  info.server = "DC1";
  info.domain = realm.netbios.str();
  info.rid = account.rid;
  info.primary_group_rid = account.primary_group_rid;
  info.user_account_control = PacUserAccountControl(account);
  info.domain_sid = {5, {21, realm.domain[0], realm.domain[1], realm.domain[2]}};
  info.logon_time = kerberos::FileTime(static_cast<std::uint32_t>(logon_time));
  info.password_last_set = kerberos::FileTime(account.password_set);
  info.group_rids.push_back(account.primary_group_rid);
  for (const std::uint32_t rid : account.groups()) info.group_rids.push_back(rid);
  // Who says that it is them ([MS-DTYP] 2.4.2.4): the authentication authority, or a service.
  info.extra_sids.push_back({18, {asserted_by_service ? 2U : 1U}});
  return info;
}

krb5_error_code IssuePac(krb5_context context, unsigned flags, krb5_db_entry* client,
                         krb5_keyblock* /*replaced_reply_key*/, krb5_db_entry* /*server*/,
                         krb5_db_entry* /*krbtgt*/, krb5_timestamp auth_time, krb5_pac old_pac,
                         krb5_pac new_pac, krb5_data*** /*indicators*/) noexcept {
  return Guarded([&]() -> krb5_error_code {
    if (old_pac != nullptr) {
      // One forest has no one to filter for; a PAC from elsewhere is not ours to vouch for.
      if ((flags & KRB5_KDB_FLAG_CROSS_REALM) != 0) return KRB5KDC_ERR_POLICY;
      krb5_data data{};
      if (krb5_pac_get_buffer(context, old_pac, KRB5_PAC_LOGON_INFO, &data) != 0) return 0;
      const krb5_error_code code =
          krb5_pac_add_buffer(context, new_pac, KRB5_PAC_LOGON_INFO, &data);
      krb5_free_data_contents(context, &data);
      return code;
    }
    if (client == nullptr) return 0;
    const std::optional<Row> row = FindRow(context, client->princ);
    if (!row) return 0;
    const Directory& directory = DirectoryOf(context);
    const Realm& realm = directory.accounts.realms()[directory.realm];
    const bool by_service = (flags & KRB5_KDB_FLAG_PROTOCOL_TRANSITION) != 0;
    return AddLogonInfo(context,
                        kerberos::EncodeLogonInfo(LogonInfoOf(realm, *row, auth_time, by_service)),
                        new_pac);
  });
}

// ---- Module

krb5_error_code NothingToDo() noexcept { return 0; }

krb5_error_code Refuse(krb5_context context, const std::string& message) {
  krb5_set_error_message(context, KRB5_KDB_DBNOTINITED, "%s", message.c_str());
  return KRB5_KDB_DBNOTINITED;
}

std::string ConfiguredTable(krb5_context context, const char* section) {
  std::string path;
  profile_t profile = nullptr;
  char* value = nullptr;
  if (krb5_get_profile(context, &profile) != 0) return path;
  if (profile_get_string(profile, "dbmodules", section, "table", "", &value) == 0) path = value;
  profile_release_string(value);
  profile_release(profile);
  return path;
}

// Once per realm. `table` in the module's section of [dbmodules] names the file.
krb5_error_code InitModule(krb5_context context, char* section, char** /*arguments*/,
                           int /*mode*/) noexcept {
  return Guarded([&]() -> krb5_error_code {
    absl::StatusOr<AccountView> accounts = AccountView::Open(ConfiguredTable(context, section));
    if (!accounts.ok()) return Refuse(context, std::string(accounts.status().message()));
    char* realm_text = nullptr;
    if (const krb5_error_code code = krb5_get_default_realm(context, &realm_text); code != 0) {
      return code;
    }
    const std::string realm = realm_text;
    krb5_free_default_realm(context, realm_text);
    const std::optional<std::uint32_t> index = accounts->FindRealm(realm);
    if (!index) return Refuse(context, "the account table has no realm " + realm);
    return krb5_db_set_context(context, new Directory{*std::move(accounts), *index, realm});
  });
}

krb5_error_code FiniModule(krb5_context context) noexcept {
  void* directory = nullptr;
  krb5_db_get_context(context, &directory);
  delete static_cast<Directory*>(directory);
  return krb5_db_set_context(context, nullptr);
}

kdb_vftabl MakeFunctionTable() {
  kdb_vftabl table{};
  table.maj_ver = KRB5_KDB_DAL_MAJOR_VERSION;
  table.init_library = NothingToDo;
  table.fini_library = NothingToDo;
  table.init_module = InitModule;
  table.fini_module = FiniModule;
  table.get_principal = GetPrincipal;
  table.fetch_master_key = FetchMasterKey;
  table.fetch_master_key_list = FetchMasterKeyList;
  table.decrypt_key_data = DecryptKeyData;
  table.check_policy_as = CheckPolicyAs;
  table.check_policy_tgs = CheckPolicyTgs;
  table.issue_pac = IssuePac;
  return table;
}

}  // namespace
}  // namespace devicetrust::simulator

// What libkdb5 looks up by name.
extern "C" {
extern __attribute__((visibility("default"))) kdb_vftabl kdb_function_table;
kdb_vftabl kdb_function_table = devicetrust::simulator::MakeFunctionTable();
}
