using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The process's ledger of holders: who holds which page, since when. See <see cref="LedgerStore"/> for what each call does.
/// </summary>
/// <remarks>
/// An identity is 64 bits: the frame number in the low <see cref="FrameBits"/>, the page's generation above. The ledger compares
/// it and shows the frame, and knows nothing else of pages. All members are safe on any thread. Takes record whether or not <see
/// cref="Tracking.Active"/> is set: callers test it, except those that always record (pins).
/// </remarks>
internal static class Ledger
{
    internal const int FrameBits = 28;
    internal const ulong FrameMask = (1ul << FrameBits) - 1;

    private static readonly LedgerStore s_store = new(isTraced: true);
    private static readonly object s_switch = new();
    private static int s_users;

    /// <inheritdoc cref="LedgerStore.MaximumRecords"/>
    internal static int MaximumRecords
    {
        get => s_store.MaximumRecords;
        set => s_store.MaximumRecords = value;
    }

    /// <inheritdoc cref="LedgerStore.Untracked"/>
    internal static long Untracked => s_store.Untracked;

    /// <inheritdoc cref="LedgerStore.Unmatched"/>
    internal static long Unmatched => s_store.Unmatched;

    /// <inheritdoc cref="LedgerStore.CurrentThread"/>
    internal static uint CurrentThread => s_store.CurrentThread;

    /// <inheritdoc cref="LedgerStore.Bytes"/>
    internal static long Bytes => s_store.Bytes;

    /// <summary>
    /// The leak scope of the calling flow; 0 for none. Setting it holds for this flow and what it starts, as an <see
    /// cref="AsyncLocal{T}"/> does.
    /// </summary>
    internal static int CurrentScope
    {
        get => LedgerScope.Current;
        set => LedgerScope.Current = value;
    }

    /// <inheritdoc cref="LedgerScope.New"/>
    internal static int NewScope() => LedgerScope.New();

    /// <summary>Turns tracking on. Calls nest: it stays on until as many calls of <see cref="Stop"/> followed.</summary>
    /// <exception cref="NotSupportedException">Tracing is switched away.</exception>
    internal static void Start()
    {
        // A scope that finds no leak because nobody looks would be worse than none.
        TracingSupport.ThrowIfNot();
        using (Uninterrupted.Enter(s_switch))
        {
            StartLocked();
        }
    }

    /// <summary>The same for who needs every reference on record; false, with nothing changed, while only some are.</summary>
    internal static bool TryStartWhole()
    {
        TracingSupport.ThrowIfNot();
        using (Uninterrupted.Enter(s_switch))
        {
            if (Tracking.Selective)
            {
                return false;
            }

            StartLocked();
            return true;
        }
    }

    /// <summary>The same for who wants only some references on record, which <see cref="Tracking.Selective"/> says from here on; false, with nothing changed, where somebody tracks them in full.</summary>
    internal static bool TryStartSelective()
    {
        using (Uninterrupted.Enter(s_switch))
        {
            if (s_users != 0)
            {
                return false;
            }

            Tracking.Selective = true;
            StartLocked();
            return true;
        }
    }

    /// <summary>Takes one <see cref="Start"/> back. Records stay, and their references can still be released.</summary>
    /// <exception cref="InvalidOperationException">There was no <see cref="Start"/>.</exception>
    internal static void Stop()
    {
        using (Uninterrupted.Enter(s_switch))
        {
            if (s_users == 0)
            {
                throw new InvalidOperationException("Tracking was stopped more often than started.");
            }

            if (--s_users == 0)
            {
                Tracking.Active = false;
                CoarseClock.Stop();
            }
        }
    }

    /// <inheritdoc cref="LedgerStore.Take"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Take(ulong identity, int references, uint bytes, HolderKind kind, uint origin) =>
        Tracking.Selective
            ? TakeSelected(identity, references, bytes, kind, origin)
            : s_store.Take(identity, references, bytes, kind, origin);

    /// <inheritdoc cref="LedgerStore.Release"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static LedgerRelease Release(
        uint ticket, ulong identity, int references, uint origin, bool freed = false) =>
        s_store.Release(ticket, identity, references, Tracking.Selective ? Origin.Whole(origin) : origin, freed);

    /// <inheritdoc cref="LedgerStore.Drop"/>
    internal static LedgerRelease Drop(uint ticket, ulong identity, uint origin, bool freed = false) =>
        s_store.Drop(ticket, identity, origin, freed);

    /// <inheritdoc cref="LedgerStore.MarkFreed"/>
    internal static bool MarkFreed(uint ticket) => s_store.MarkFreed(ticket);

    /// <inheritdoc cref="LedgerStore.Touch"/>
    internal static bool Touch(uint ticket, uint origin) => s_store.Touch(ticket, origin);

    /// <inheritdoc cref="LedgerStore.Transfer"/>
    internal static bool Transfer(uint ticket, uint origin) => s_store.Transfer(ticket, origin);

    /// <inheritdoc cref="LedgerStore.Retarget"/>
    internal static bool Retarget(uint ticket, ulong identity) => s_store.Retarget(ticket, identity);

    /// <inheritdoc cref="LedgerStore.AddTo"/>
    internal static bool AddTo(uint ticket, int references) => s_store.AddTo(ticket, references);

    /// <inheritdoc cref="LedgerStore.SetReferences"/>
    internal static bool SetReferences(uint ticket, int references) => s_store.SetReferences(ticket, references);

    /// <inheritdoc cref="LedgerStore.TakeRaw"/>
    internal static void TakeRaw(ref uint head, ulong identity, int references, uint origin)
    {
        // Whole or not at all: counts without a handle are paired by their sum, and a sample of them would pair wrongly.
        if (!Tracking.Selective)
        {
            s_store.TakeRaw(ref head, identity, references, origin);
        }
    }

    /// <inheritdoc cref="LedgerStore.ReleaseRaw"/>
    internal static int ReleaseRaw(
        ref uint head, ulong identity, int references, uint origin, bool freed = false) =>
        s_store.ReleaseRaw(ref head, identity, references, origin, freed);

    /// <inheritdoc cref="LedgerStore.ForgetRaw"/>
    internal static int ForgetRaw(ref uint head, ulong identity, uint origin) =>
        s_store.ForgetRaw(ref head, identity, origin);

    /// <inheritdoc cref="LedgerStore.Snapshot"/>
    internal static List<Holder> Snapshot(int scope = 0, Func<ulong, bool>? page = null) => s_store.Snapshot(scope, page);

    /// <inheritdoc cref="LedgerStore.Of"/>
    internal static List<Holder> Of(ulong identity) => s_store.Of(identity);

    /// <inheritdoc cref="LedgerStore.ReferencesOf"/>
    internal static long ReferencesOf(ulong identity) => s_store.ReferencesOf(identity);

    /// <inheritdoc cref="LedgerStore.Find"/>
    internal static Holder? Find(uint ticket) => s_store.Find(ticket);

    /// <inheritdoc cref="LedgerStore.OriginOf"/>
    internal static uint OriginOf(uint ticket) => s_store.OriginOf(ticket);

    /// <inheritdoc cref="LedgerStore.IsLive"/>
    internal static bool IsLive(uint ticket, ulong identity) => s_store.IsLive(ticket, identity);

    /// <inheritdoc cref="LedgerStore.ReleaseOf"/>
    internal static LedgerConflict? ReleaseOf(uint ticket) => s_store.ReleaseOf(ticket);

    /// <inheritdoc cref="LedgerStore.LastReleaseOf"/>
    internal static LedgerConflict? LastReleaseOf(ulong identity) => s_store.LastReleaseOf(identity);

    private static void StartLocked()
    {
        if (s_users++ == 0)
        {
            CoarseClock.Start();
            Tracking.Active = true;
        }
    }

    // Pins are recorded always: a contiguous allocation that fails must be able to name them.
    private static uint TakeSelected(ulong identity, int references, uint bytes, HolderKind kind, uint origin) =>
        kind is HolderKind.Pin or HolderKind.LongTermPin or HolderKind.Contiguous ? s_store.Take(identity, references, bytes, kind, Origin.Whole(origin))
        : TraceAdmission.Admits(identity, bytes, origin) ? s_store.Take(identity, references, bytes, kind, Origin.Whole(origin), TraceAdmission.SampleEvery)
        : 0;

    /// <inheritdoc cref="LedgerStore.Verify"/>
    internal static bool Verify() => s_store.Verify();
}
