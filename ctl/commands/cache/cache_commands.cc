#include "ctl/commands/cache/cache_commands.h"

namespace fpo::ctl {
namespace {

ArgumentSpec ManifestArgument(bool required) {
  return {"MANIFEST", ValueKind::kManifest, "a manifest id or the beginning of one", required};
}

CommandSpec BuildCommand() {
  CommandSpec c{"cache build", "cache", "compute the reference records of a job file ahead"};
  c.details =
      "Submits a job of kind reference with the model, SAE and data of the file. Later jobs on "
      "them find their records there. Inference only: it fits a smaller machine than training.";
  c.arguments = {{"FILE", ValueKind::kFile, "a job file, YAML or JSON"}};
  c.options = {{"set", "", ValueKind::kSetting, "KEY=VALUE",
                "change one key of the job file; may be repeated", true},
               {"wait", "", ValueKind::kFlag, "", "follow it to its end"},
               {"request-id", "", ValueKind::kText, "ID",
                "repeat an earlier build whose answer was lost (default: a new UUID)"}};
  c.examples = {{"fpoctl cache build job.yaml --wait", "then submit as many runs as you like"}};
  c.json = {"SubmitResponse", "WatchJobResponse"};
  c.run = RunCacheBuild;
  return c;
}

CommandSpec ListManifestsCommand() {
  CommandSpec c{"cache ls", "cache", "list the datasets whose reference records are kept"};
  c.examples = {{"fpoctl cache ls", "each manifest, how complete it is, its size, what keeps it"},
                {"fpoctl cache ls -q", "full manifest ids"}};
  c.json = {"ListManifestsResponse"};
  c.run = RunCacheList;
  return c;
}

CommandSpec InfoCommand() {
  CommandSpec c{"cache info", "cache", "show one manifest, or the whole cache's numbers"};
  c.arguments = {ManifestArgument(false)};
  c.examples = {{"fpoctl cache info", "size, limits, owners, hits since start and what they saved"},
                {"fpoctl cache info 3fa9c1", "one manifest with its recipe"}};
  c.json = {"StatsResponse", "GetManifestResponse"};
  c.run = RunCacheInfo;
  return c;
}

CommandSpec RecipesCommand() {
  CommandSpec c{"cache recipes", "cache", "list what the records were computed with"};
  c.details =
      "A recipe is everything beside the tokens that can change a record: the model's weights, its "
      "dtype, the device, the SAE with layer and site, and how features are kept.";
  c.examples = {{"fpoctl cache recipes", ""},
                {"fpoctl cache recipes --json", "with the whole canonical recipes"}};
  c.json = {"ListRecipesResponse"};
  c.run = RunCacheRecipes;
  return c;
}

CommandSpec PinCommand() {
  CommandSpec c{"cache pin", "cache", "keep a manifest and its records whatever their age"};
  c.details =
      "A pinned manifest is removed neither for its age nor to make room, until it is unpinned or "
      "the time given with --for is over.";
  c.arguments = {ManifestArgument(true)};
  c.options = {{"for", "", ValueKind::kDuration, "DURATION",
                "so long, e.g. 720h (default: until it is unpinned)"}};
  c.examples = {{"fpoctl cache pin 3fa9c1", "until it is unpinned"},
                {"fpoctl cache pin 3fa9c1 --for 720h", "for thirty days"}};
  c.json = {"GetManifestResponse"};
  c.run = RunCachePin;
  return c;
}

CommandSpec UnpinCommand() {
  CommandSpec c{"cache unpin", "cache", "let a pinned manifest age again"};
  c.arguments = {ManifestArgument(true)};
  c.examples = {{"fpoctl cache unpin 3fa9c1", ""}};
  c.json = {"GetManifestResponse"};
  c.run = RunCacheUnpin;
  return c;
}

CommandSpec VerifyCommand() {
  CommandSpec c{"cache verify", "cache", "compare stored records with their digests"};
  c.details =
      "Reads every record of the manifest, or of the whole cache, and compares it with its "
      "SHA-256; without a manifest the store's files are compared with their checksums first. What "
      "is damaged is quarantined: it counts as absent, and the next job that needs it computes it "
      "again. Exit code 7 when something was damaged.";
  c.arguments = {ManifestArgument(false)};
  c.examples = {{"fpoctl cache verify 3fa9c1", "one manifest"},
                {"fpoctl cache verify", "everything; reads the whole store"}};
  c.json = {"VerifyResponse"};
  c.run = RunCacheVerify;
  return c;
}

CommandSpec QuarantineCommand() {
  CommandSpec c{"cache quarantine", "cache", "take records out of use, or list those that are"};
  c.details =
      "With a manifest: all its records, or the keys given, count as absent from now on and are "
      "computed again by the next job that needs them. Without one: lists what is out of use, when "
      "and why.";
  c.arguments = {ManifestArgument(false),
                 {"KEY", ValueKind::kKey, "64 hex digits; none: all records", false, true}};
  c.options = {{"reason", "", ValueKind::kText, "TEXT", "kept with the evidence"}};
  c.examples = {{"fpoctl cache quarantine", "what is out of use"},
                {"fpoctl cache quarantine 3fa9c1 --reason faulty-gpu",
                 "the next job computes this data set again"}};
  c.json = {"QuarantineResponse", "ListQuarantinedResponse"};
  c.run = RunCacheQuarantine;
  return c;
}

CommandSpec GcCommand() {
  CommandSpec c{"cache gc", "cache", "remove what nobody needs, now"};
  c.details =
      "The cache does this by itself every hour. A manifest goes when nobody used it for long "
      "(--keep-unused of fpo-cache, 30 days), or earlier, the longest unused first, while more is "
      "stored than --evict-mib allows. Pinned ones, and those of running jobs, stay. Records go "
      "when no manifest names them any more.";
  c.options = {{"dry-run", "", ValueKind::kFlag, "",
                "remove nothing; say for each manifest why it would stay or go"}};
  c.examples = {{"fpoctl cache gc --dry-run", "what would go, and why the rest stays"},
                {"fpoctl cache gc", "do it"}};
  c.json = {"GcResponse"};
  c.run = RunCacheGc;
  return c;
}

CommandSpec ExportCommand() {
  CommandSpec c{"cache export", "cache", "write a manifest's records to one file"};
  c.details =
      "The file is a record file (.fpr): the recipe, the records in the manifest's order, each "
      "with its SHA-256, and a SHA-256 over all. `fpoctl cache import` at another site takes it.";
  c.arguments = {ManifestArgument(true),
                 {"FILE", ValueKind::kFile, "the file to write; appears when it is complete"}};
  c.options = {{"force", "", ValueKind::kFlag, "", "write over a file that is there"}};
  c.examples = {{"fpoctl cache export 3fa9c1 ultrafeedback.fpr", ""}};
  c.json = {"GetManifestResponse"};
  c.run = RunCacheExport;
  return c;
}

CommandSpec ImportCommand() {
  CommandSpec c{"cache import", "cache", "store the records of an exported file"};
  c.details =
      "Every digest in the file is checked before anything is sent, and by the cache again. "
      "Records that are there already are not sent; of two values for one record the first stays.";
  c.arguments = {{"FILE", ValueKind::kFile, "a record file (.fpr)"}};
  c.options = {{"name", "", ValueKind::kText, "NAME", "for listing (default: the file's name)"}};
  c.examples = {{"fpoctl cache import ultrafeedback.fpr", ""},
                {"fpoctl cache import ultrafeedback.fpr --cache-server cache.site-b:7080",
                 "into another site's cache"}};
  c.json = {"GetManifestResponse"};
  c.run = RunCacheImport;
  return c;
}

CommandSpec BackupCommand() {
  CommandSpec c{"cache backup", "cache", "copy the whole store on the cache's machine"};
  c.details =
      "The copy is made of hard links, opened and verified before it counts. It lies in the folder "
      "that fpo-cache was started with (--backups) and opens as a store: fpo-cache --data COPY.";
  c.examples = {{"fpoctl cache backup", ""}};
  c.json = {"BackupResponse"};
  c.run = RunCacheBackup;
  return c;
}

}  // namespace

std::vector<CommandSpec> CacheCommands() {
  return {BuildCommand(), ListManifestsCommand(), InfoCommand(),   RecipesCommand(),
          PinCommand(),   UnpinCommand(),         VerifyCommand(), QuarantineCommand(),
          GcCommand(),    ExportCommand(),        ImportCommand(), BackupCommand()};
}

}  // namespace fpo::ctl
