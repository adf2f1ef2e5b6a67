namespace Quire;

/// <summary>What became of a release.</summary>
internal enum LedgerOutcome
{
    /// <summary>The ticket was 0: the reference was never recorded.</summary>
    Untracked,

    /// <summary>The references left the record.</summary>
    Released,

    /// <summary>They had all been released before; the state is as it was.</summary>
    Stale,

    /// <summary>The record is of another page; the state is as it was.</summary>
    WrongPage,

    /// <summary>The record holds fewer references; the state is as it was.</summary>
    TooMany,
}

/// <summary>The answer to a release; two registers wide, with the particulars of a misuse behind a reference.</summary>
/// <param name="Conflict">Who was there before; null unless the release failed.</param>
/// <param name="Outcome">What happened.</param>
/// <param name="Remaining">References that the record still holds.</param>
internal readonly record struct LedgerRelease(LedgerConflict? Conflict, LedgerOutcome Outcome, int Remaining);

/// <summary>The other side of a misuse: what the ledger knows about the record that a release did not match.</summary>
/// <param name="Identity">The page that the record is or was of; 0 when the record has been taken again since.</param>
/// <param name="Kind">What kind of reference it was.</param>
/// <param name="Taken">Who took it; null when the record has been taken again since.</param>
/// <param name="Released">Who released it first; null when it is live, or when the record has been taken again since.</param>
/// <param name="FreedPage">True when that release dropped the page's last reference.</param>
internal sealed record LedgerConflict(ulong Identity, HolderKind Kind, HolderStamp? Taken, HolderStamp? Released, bool FreedPage);
