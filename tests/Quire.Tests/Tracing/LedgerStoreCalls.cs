namespace Quire.Tests.Tracing;

/// <summary>The ledger's calls with a call site written out, as tests want to say it.</summary>
internal static class LedgerStoreCalls
{
    internal static uint Take(this LedgerStore ledger, ulong identity, int references, uint bytes, HolderKind kind, string file, int line, string member) =>
        ledger.Take(identity, references, bytes, kind, Origin.Here(file, line, member));

    internal static LedgerRelease Release(this LedgerStore ledger, uint ticket, ulong identity, int references, string file, int line, string member, bool freed = false) =>
        ledger.Release(ticket, identity, references, Origin.Here(file, line, member), freed);

    internal static LedgerRelease Drop(this LedgerStore ledger, uint ticket, ulong identity, string file, int line, string member, bool freed = false) =>
        ledger.Drop(ticket, identity, Origin.Here(file, line, member), freed);

    internal static bool Touch(this LedgerStore ledger, uint ticket, string file, int line, string member) =>
        ledger.Touch(ticket, Origin.Here(file, line, member));

    internal static bool Transfer(this LedgerStore ledger, uint ticket, string file, int line, string member) =>
        ledger.Transfer(ticket, Origin.Here(file, line, member));

    internal static void TakeRaw(this LedgerStore ledger, ref uint head, ulong identity, int references, string file, int line, string member) =>
        ledger.TakeRaw(ref head, identity, references, Origin.Here(file, line, member));

    internal static int ReleaseRaw(this LedgerStore ledger, ref uint head, ulong identity, int references, string file, int line, string member, bool freed = false) =>
        ledger.ReleaseRaw(ref head, identity, references, Origin.Here(file, line, member), freed);

    internal static int ForgetRaw(this LedgerStore ledger, ref uint head, ulong identity, string file, int line, string member) =>
        ledger.ForgetRaw(ref head, identity, Origin.Here(file, line, member));
}
