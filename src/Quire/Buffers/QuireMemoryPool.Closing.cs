namespace Quire;

/// <content>The end of a pool.</content>
public sealed unsafe partial class QuireMemoryPool
{
    private readonly Lock _closing = new();
    private bool _ended;
    private bool _told;

    /// <summary>Ends the pool, and its allocator where that is its own. <see cref="Shared"/> can't be ended: nothing happens.</summary>
    /// <remarks>
    /// On an allocator with <see cref="PageAllocatorOptions.HeldAtDispose"/> nothing is thrown where owners are out: the pool gives none any more, and the allocator's end waits for them.
    /// Who waits in <see cref="RentAsync"/> gets an <see cref="ObjectDisposedException"/> with the pool's name, whatever becomes of the dispose.
    /// </remarks>
    /// <exception cref="PagesStillHeldException">Owners or pins are out, or pages that were taken from its allocator directly; the message names their holders, where the ledger knows. The pool stands as before: dispose those, and the pool again.</exception>
    protected override void Dispose(bool disposing)
    {
        if (ReferenceEquals(this, Shared))
        {
            return;
        }

        lock (_closing)
        {
            if (_ended)
            {
                return;
            }

            Volatile.Write(ref _closed, true);
        }

        // With no lock held. Who comes to wait from now on is refused, under the queue's lock, which is taken here.
        FailWaiters();
        bool isNews = false;
        lock (_closing)
        {
            if (!_ended)
            {
                End();
                (isNews, _told) = (!_told, true);
            }
        }

        if (isNews)
        {
            TracingNotices.PoolDisposed(Name);
        }
    }

    private void End()
    {
        // Once more: another dispose may have failed since, and opened the pool again.
        Volatile.Write(ref _closed, true);

        // Happens before: every thread has passed a fence since the mark, so each rent is counted below, or has seen the mark and counts no more.
        Atomic.FenceEveryThread();
        PoolCounts sum = PoolThreads.Sum(this);
        try
        {
            if (sum.Rents != sum.Returns || sum.Pins != 0)
            {
                if (Allocator.Options.HeldAtDispose is not null)
                {
                    // It stays closed, and its owners stay what they are; the allocator, which goes when they have come back, has somebody to tell.
                    return;
                }

                throw StillOut(sum);
            }

            _stripes?.Drain();
            _shelf?.Drain();
            if (_ownsAllocator)
            {
                Allocator.Dispose();
            }
        }
        catch
        {
            Volatile.Write(ref _closed, false);
            throw;
        }

        _ended = true;
        _stripes?.Close();
        _shelf?.Close();
        PoolThreads.Depart(this);
    }

    private PagesStillHeldException StillOut(in PoolCounts sum)
    {
        IReadOnlyList<Holder> holders = Allocator.HoldersOfMine();
        string who = holders.Any(static holder => holder.Kind != HolderKind.Bias) ? Environment.NewLine + new HolderTable(holders)
            : Holders.IsTracking ? " No holder is recorded: they were taken while the ledger was off."
            : " No holder is recorded; keep the ledger on (Holders.Track) to have them named.";
        return PagesStillHeldException.For(
            $"Pool '{Name}' can't be disposed: {sum.Rents - sum.Returns} owners ({sum.Bytes} bytes) and {sum.Pins} pins are out.{who}", holders, sum.Bytes);
    }
}
