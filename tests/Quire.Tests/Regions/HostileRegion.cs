using System.Collections;

namespace Quire.Tests.Regions;

/// <summary>A region of a <see cref="HostileRegionProvider"/>: part of a real one, with books.</summary>
internal sealed unsafe class HostileRegion : MemoryRegion
{
    private readonly HostileRegionProvider _owner;
    private readonly MemoryRegion _real;
    private readonly byte* _start;
    private readonly nuint _lead;
    private readonly bool _revoke;
    private readonly BitArray _committed;

    internal HostileRegion(HostileRegionProvider owner, MemoryRegion real, nuint lead, nuint misalignBy, nuint length, bool revoke)
        : base(real.Kind, real.Base + lead + misalignBy, length)
    {
        _owner = owner;
        _real = real;
        _start = real.Base + lead + misalignBy;
        _lead = lead;
        _revoke = revoke;
        _committed = new BitArray((int)(length / FrameSize));
    }

    public override byte[]? Array => _real.Array;

    public override int ArrayOffset => _real.ArrayOffset + (int)(_start - _real.Base);

    internal nuint CommittedBytes
    {
        get
        {
            lock (_committed)
            {
                return (nuint)_committed.Cast<bool>().Count(committed => committed) * FrameSize;
            }
        }
    }

    internal bool IsCommitted(byte* address, nuint length)
    {
        if (address < _start || (nuint)(address - _start) + length > Length)
        {
            return false;
        }

        lock (_committed)
        {
            nuint first = (nuint)(address - _start);
            for (nuint frame = first / FrameSize; frame * FrameSize < first + length; frame++)
            {
                if (!_committed[(int)frame])
                {
                    return false;
                }
            }

            return true;
        }
    }

    protected override RegionFailure CommitCore(nuint offset, nuint length)
    {
        RegionFailure failure = _owner.Count(HostileCall.Commit);
        if (failure == RegionFailure.None && _real.TryCommit(_lead + offset, length, out failure))
        {
            Book(offset, length, true);
        }

        return failure;
    }

    protected override RegionFailure DecommitCore(nuint offset, nuint length, out nuint released)
    {
        released = 0;
        RegionFailure failure = _owner.Count(HostileCall.Decommit);
        if (failure == RegionFailure.None && _real.TryDecommit(_lead + offset, length, out released, out failure))
        {
            Book(offset, length, false);
            if (_revoke && !ProcessMemory.Revoke(_start + offset, length))
            {
                throw new InvalidOperationException("The system would not take access away.");
            }
        }

        return failure;
    }

    protected override bool AdviseHugePagesCore(nuint offset, nuint length, bool on) =>
        _owner.Count(HostileCall.Advise) == RegionFailure.None && _real.AdviseHugePages(_lead + offset, length, on);

    protected override void ReleaseCore(byte* address)
    {
        _owner.Forget(this);
        _real.Dispose();
    }

    private void Book(nuint offset, nuint length, bool committed)
    {
        lock (_committed)
        {
            for (nuint frame = offset / FrameSize; frame < (offset + length) / FrameSize; frame++)
            {
                _committed[(int)frame] = committed;
            }
        }
    }
}
