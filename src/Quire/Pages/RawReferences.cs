namespace Quire;

/// <summary>The ledger's side of counting without a handle (<see cref="PageRef"/>): counted records chained from the page's descriptor.</summary>
internal static unsafe class RawReferences
{
    /// <summary>Where an operation came from, if anybody will ask: the ledger, a recording, or the records that the page has.</summary>
    internal static uint OriginOf(PageDescriptor* head, string file, int line, string member) =>
        Tracking.Active || head->RawRecords != 0 ? Origin.Here(file, line, member) : 0;

    internal static void Taken(PageDescriptor* head, int references, uint origin)
    {
        if (Tracking.Active)
        {
            Ledger.TakeRaw(ref head->RawRecords, head->Identity, references, origin);
        }
    }

    internal static void Dropped(PageDescriptor* head, int references, uint origin)
    {
        if (head->RawRecords != 0)
        {
            Ledger.ReleaseRaw(ref head->RawRecords, head->Identity, references, origin);
        }
    }

    /// <summary>Ends all records of a page that is being freed; its identity is still the old one.</summary>
    internal static void Clear(PageDescriptor* head)
    {
        if (head->RawRecords != 0)
        {
            Ledger.ForgetRaw(ref head->RawRecords, head->Identity, 0);
        }
    }
}
