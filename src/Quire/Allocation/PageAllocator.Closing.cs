namespace Quire;

/// <content>The end of an allocator.</content>
public sealed unsafe partial class PageAllocator
{
    /// <summary>Releases all memory, that of contiguous areas in it too.</summary>
    /// <remarks>
    /// Other threads may still be calling. First every way to a free page is closed: the threads' magazines, the per-core lists, the buddy lists. Then the pages in
    /// use are counted, which nobody can take more of by now. If there are none, the memory goes; if there are, the ways are opened again.
    /// </remarks>
    /// <exception cref="PagesStillHeldException">Pages are in use; the message names their holders. The allocator stands as before: put them and dispose again.</exception>
    /// <exception cref="InvalidOperationException">This is <see cref="Shared"/>.</exception>
    public void Dispose()
    {
        if (ReferenceEquals(this, Shared))
        {
            throw new InvalidOperationException("The shared allocator lives as long as the process and can't be disposed.");
        }

        // Before the lock: rooms below are asked, and they are asked with no lock held.
        Reclaim();
        lock (_trimmer)
        {
            if (IsDisposed)
            {
                return;
            }

            SetClosed(true);
            long held = FramesHeld();
            if (held != 0)
            {
                SetClosed(false);
                throw PagesStillHeldException.For(this, held);
            }

            // Happens before: who sees the mark finds every way closed, for good now.
            Volatile.Write(ref _disposed, true);
            _magazines.Close();
            Sections.Dispose();

            // The number goes to another allocator, whose pages must not pass for this one's.
            PageOwners.Allocators.Depart(_id);
            _id = 0;
        }

        _trimmer.Dispose();
        TracingNotices.AllocatorDisposed(Name);
    }

    private void SetClosed(bool closed)
    {
        Zone.Gate.Enter();
        Zone.Closed = closed;
        Zone.Gate.Exit();
        foreach (PerCoreList list in _perCore)
        {
            list.SetClosed(closed);
        }

        _magazines.SetSuspended(closed);
    }

    /// <summary>Frames in use while everything is closed. What a thread has between two lists at this moment is waited for.</summary>
    private long FramesHeld()
    {
        SpinWait spin = default;
        long held;
        do
        {
            Zone.Gate.Enter();
            held = Zone.Out - Zone.Retired;
            Zone.Gate.Exit();
            spin.SpinOnce();
        }
        while (held != 0 && spin.Count < 50);
        return held;
    }
}
