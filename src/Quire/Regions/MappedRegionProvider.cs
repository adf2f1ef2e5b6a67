namespace Quire;

/// <summary>Regions of memory mapped from the system; see <see cref="RegionProvider.Mapped"/>.</summary>
internal sealed unsafe class MappedRegionProvider(NativeMemoryCalls? calls) : RegionProvider
{
    public override RegionKind Kind => RegionKind.Mapped;

    public override string Name => "mapped";

    protected override MemoryRegion? ReserveCore(nuint bytes, nuint alignment, out RegionFailure failure)
    {
        if (calls is null)
        {
            failure = RegionFailure.NotSupported;
            return null;
        }

        byte* address = calls.Reserve(bytes, alignment, out failure);
        return address == null ? null : new MappedRegion(calls, address, bytes);
    }
}
